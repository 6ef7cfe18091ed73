"""Recordings: their file format over vcrpy, matching, redaction, and a service that plays them. Layer 1."""

from harness.cassette.fault import CassetteError
from harness.cassette.file import Cassette, load, save
from harness.cassette.framing import Pieces, pack, unpack
from harness.cassette.journal import Journal
from harness.cassette.matching import Difference
from harness.cassette.player import Miss, Player
from harness.cassette.provenance import Provenance, Target
from harness.cassette.recording import UNKNOWN_ORIGIN, Recording, Unit
from harness.cassette.redact import Redactor, Replaced
from harness.cassette.scan import Hit, scan, scan_file
from harness.cassette.tape import CassetteFile

__all__ = [
    "Recording", "Unit", "UNKNOWN_ORIGIN", "Pieces", "pack", "unpack",
    "Cassette", "CassetteFile", "load", "save", "Journal", "Provenance", "Target", "CassetteError",
    "Player", "Miss", "Difference",
    "Redactor", "Replaced", "scan", "scan_file", "Hit",
]  # fmt: skip
