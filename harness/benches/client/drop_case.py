"""One stream that is known in advance, and the faults applied to it. Layer 5, a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.contract import Contract

TEXT = "A text in several pieces: déjà vu, 東京 and 🦊, to the very end."
EVENT_IDS = ("all", "deltas", "sparse", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One stream and the faults applied to it: `plan` is in the grammar of docs/faults.md.

    `contract` is the one by which the stream is served and read; None: that of the emulator, or what the cassette
    states.
    """

    plan: str
    event_ids: str = "all"
    resume: str = "exclusive"
    script: Mapping[str, Any] = field(default_factory=lambda: {"text": TEXT}, hash=False)
    cassette: str | None = None
    contract: Contract | None = None

    def __str__(self) -> str:
        marks = [self.plan]
        if self.event_ids != "all":
            marks.append(f"ids={self.event_ids}")
        if self.resume != "exclusive":
            marks.append(self.resume)
        return "-".join(marks)
