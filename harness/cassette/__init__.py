"""Recordings: their file format over vcrpy, matching, redaction, and a service that plays them.

Names are imported on first use, so that a run that only writes a cassette loads no player.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import CassetteError
from harness.late_names import late_names

if TYPE_CHECKING:
    from harness.cassette.framing import Pieces
    from harness.cassette.journal import Journal
    from harness.cassette.layout import Cassette, load, save
    from harness.cassette.matching import RequestDifference
    from harness.cassette.player import Miss, Player
    from harness.cassette.recording import UNKNOWN_ORIGIN, Provenance, Recording, Target, Unit
    from harness.cassette.redactor import Redactor, Replaced
    from harness.cassette.secret_scan import Hit, redact_file, scan, scan_file
    from harness.cassette.writer import CassetteFile

__all__ = [
    "Recording", "Unit", "UNKNOWN_ORIGIN", "Pieces",
    "Cassette", "CassetteFile", "load", "save", "Journal", "Provenance", "Target", "CassetteError",
    "Player", "Miss", "RequestDifference",
    "Redactor", "Replaced", "scan", "scan_file", "redact_file", "Hit",
]  # fmt: skip

__getattr__ = late_names(__name__)
