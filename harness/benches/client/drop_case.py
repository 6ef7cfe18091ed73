"""One stream that is known in advance, and the faults applied to it. Layer 5, a value."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.benches.client.client_modes import DEFAULT_MODE, MODES, TEXT
from harness.contract import Contract
from harness.faults import Cut, parse

EVENT_IDS = ("all", "deltas", "sparse", "none")
_UNMARKED = frozenset({"text", "times"})
"""Keys of a script that all cases of a run share, so that no case is named by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One stream and the faults applied to it: `plan` is in the grammar of docs/faults.md.

    `contract` is the one by which the stream is served and read; None: that of the emulator, or what the cassette
    states. A `scenario` file takes the place of the script. `kind` names the part of a set that the case belongs
    to, "" for one that somebody asked for. `mode` is one of `MODES`. `further` is the script of creates that
    refer to a previous interaction; None: the same script. `incident`
    names one that the case plays; `speed` is how much faster than the machine's its clock runs.
    """

    plan: str
    event_ids: str = "all"
    resume: str = "exclusive"
    script: Mapping[str, Any] = field(default_factory=lambda: dict(MODES[DEFAULT_MODE].script), hash=False)
    scenario: str | None = None
    cassette: str | None = None
    contract: Contract | None = None
    kind: str = field(default="", compare=False)
    mode: str = DEFAULT_MODE
    further: Mapping[str, Any] | None = field(default=None, hash=False)
    incident: str = ""
    speed: float = 1.0

    def __str__(self) -> str:
        if self.incident:
            return self.incident
        marks = [self.plan]
        if self.event_ids != "all":
            marks.append(f"ids={self.event_ids}")
        if self.resume != "exclusive":
            marks.append(self.resume)
        usual = MODES[self.mode].script
        for key, value in self.script.items():
            if key not in _UNMARKED and usual.get(key) != value:
                marks.append(f"{key}={_show(value)}")
        return "-".join(marks)

    @property
    def row(self) -> str:
        """The label that all cases with the same ending and event ids share."""
        faults = parse(self.plan).connections[-1].faults
        last = faults[-1] if faults else "pass"
        marks = [str(last.drop) if isinstance(last, Cut) else str(last)]
        if self.event_ids != "all":
            marks.append(f"ids={self.event_ids}")
        return " ".join(marks)

    def command_line(self, client: Sequence[str], options: Sequence[str] = ()) -> str:
        """A command line that runs only this case; `client` is its own command, unless `options` name it."""
        mode = [] if self.mode == DEFAULT_MODE else ["--mode", self.mode]
        if self.incident:
            words = ["harness", "torture", "--incidents", self.incident, *mode, *options]
            return shlex.join([*words, *(["--", *client] if client else [])])
        words = ["harness", "torture", "--cuts", self.plan, *mode]
        if self.cassette is not None:
            words += ["--cassette", self.cassette]
        if self.event_ids != "all":
            words += ["--event-ids", self.event_ids]
        if self.resume != "exclusive":
            words += ["--resume", self.resume]
        if self.scenario is not None:
            words += ["--scenario", self.scenario]
        elif self.script == MODES[self.mode].script:
            pass
        elif self.script.keys() != {"text"}:
            words += ["--script", json.dumps(dict(self.script), ensure_ascii=False)]
        elif self.script["text"] != TEXT:
            words += ["--text", self.script["text"]]
        if self.further is not None and self.further != MODES[self.mode].further:
            words += ["--further", json.dumps(dict(self.further), ensure_ascii=False)]
        return shlex.join([*words, *options, *(["--", *client] if client else [])])


def _show(value: object) -> str:
    """A value of a script in a name: short, and without anything that a shell or a file of names would mind."""
    if isinstance(value, str | int | bool):
        return str(value)
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:6]
