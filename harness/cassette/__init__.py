"""Recordings: their file format over vcrpy, matching, redaction, and a service that plays them. Layer 1."""

from harness.cassette.framing import Pieces
from harness.cassette.journal import Journal
from harness.cassette.matching import RequestDifference
from harness.cassette.player import Miss, Player
from harness.cassette.recording import UNKNOWN_ORIGIN, Provenance, Recording, Target, Unit
from harness.cassette.redactor import Redactor, Replaced
from harness.cassette.scan import Hit, redact_file, scan, scan_file
from harness.cassette.writer import Cassette, CassetteFile, load, save
from harness.errors import CassetteError

__all__ = [
    "Recording", "Unit", "UNKNOWN_ORIGIN", "Pieces",
    "Cassette", "CassetteFile", "load", "save", "Journal", "Provenance", "Target", "CassetteError",
    "Player", "Miss", "RequestDifference",
    "Redactor", "Replaced", "scan", "scan_file", "redact_file", "Hit",
]  # fmt: skip
