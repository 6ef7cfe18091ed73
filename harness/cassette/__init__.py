"""Recordings: their file format over vcrpy, matching, redaction, and a service that plays them. Layer 1."""

from harness.cassette.format.file import Cassette, load, save
from harness.cassette.format.framing import Pieces, pack, unpack
from harness.cassette.format.provenance import Provenance, Target
from harness.cassette.format.recording import UNKNOWN_ORIGIN, Recording, Unit
from harness.cassette.record.cassette_writer import CassetteFile
from harness.cassette.record.journal import Journal
from harness.cassette.redaction.redactor import Redactor, Replaced
from harness.cassette.redaction.scan import Hit, scan, scan_file
from harness.cassette.replay.matching import RequestDifference
from harness.cassette.replay.player import Miss, Player
from harness.errors import CassetteError

__all__ = [
    "Recording", "Unit", "UNKNOWN_ORIGIN", "Pieces", "pack", "unpack",
    "Cassette", "CassetteFile", "load", "save", "Journal", "Provenance", "Target", "CassetteError",
    "Player", "Miss", "RequestDifference",
    "Redactor", "Replaced", "scan", "scan_file", "Hit",
]  # fmt: skip
