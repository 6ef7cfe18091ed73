"""One stream that is known in advance, and the faults applied to it. Layer 5, a value."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.contract import Contract
from harness.faults import Cut, parse

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

    @property
    def row(self) -> str:
        """The label that all cases with the same ending and event ids share."""
        last = parse(self.plan).connections[-1].faults[-1]
        marks = [str(last.drop) if isinstance(last, Cut) else str(last)]
        if self.event_ids != "all":
            marks.append(f"ids={self.event_ids}")
        return " ".join(marks)

    def command_line(self, client: Sequence[str]) -> str:
        """A command line that runs only this case, with a client's own command."""
        words = ["harness", "torture", "--cuts", self.plan]
        if self.cassette is not None:
            words += ["--cassette", self.cassette]
        if self.event_ids != "all":
            words += ["--event-ids", self.event_ids]
        if self.resume != "exclusive":
            words += ["--resume", self.resume]
        return shlex.join([*words, "--", *client])
