"""One stream that is known in advance, and the faults applied to it. Layer 5, a value."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.faults import Cut, parse
from harness.kit.client_model import ClientMode

EVENT_IDS = ("all", "deltas", "sparse", "none")
_UNMARKED = frozenset({"text", "times"})
"""Keys of a script that all cases of a run share, so that no case is named by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a client is asked to do, and the faults that it meets: `plan` is in the grammar of docs/faults.md.

    `script` is what the service answers, and `further` what it answers to creates that continue another run;
    None: what the mode says. A `scenario` file takes the place of both. `refusal` is the answer to creates
    that name a previous run, and `settings` are further ones of the service; only incidents have them.
    `contract` is the one by which the stream is served and read; None: the current one, or what the cassette
    states. `kind` names the part of a set that the case belongs to, "" for one that somebody asked for. If it
    is `hopeless`, all that a client can do is to report a failure; only its kind or its incident says so.
    `incident` names one that the case plays; `speed` is how much faster than the machine's its clock runs.
    """

    plan: str
    mode: ClientMode = field(hash=False)
    event_ids: str = "all"
    resume: str = "exclusive"
    script: Mapping[str, Any] | None = field(default=None, hash=False)
    further: Mapping[str, Any] | None = field(default=None, hash=False)
    refusal: Mapping[str, Any] | None = field(default=None, hash=False)
    scenario: str | None = None
    cassette: str | None = None
    contract: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    kind: str = field(default="", compare=False)
    hopeless: bool = False
    incident: str = ""
    speed: float = 1.0

    @property
    def answer(self) -> Mapping[str, Any]:
        """What the service answers."""
        return self.mode.script if self.script is None else self.script

    @property
    def further_answer(self) -> Mapping[str, Any] | None:
        """What it answers to creates that continue another run; None: the same."""
        return self.mode.further if self.further is None else self.further

    def __str__(self) -> str:
        if self.incident:
            return self.incident
        marks = [self.plan]
        if self.event_ids != "all":
            marks.append(f"ids={self.event_ids}")
        if self.resume != "exclusive":
            marks.append(self.resume)
        for key, value in self.answer.items():
            if key not in _UNMARKED and self.mode.script.get(key) != value:
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
        mode = [] if self.mode.usual else ["--mode", self.mode.name]
        if self.incident:
            words = ["--incidents", self.incident, *mode]
        elif self.hopeless:
            words = ["--set", self.mode.usual_set, "--kinds", self.kind, *mode]
        else:
            words = ["--cuts", self.plan, *mode, *self._list_stream_options()]
        return shlex.join(["harness", "torture", *words, *options, *(["--", *client] if client else [])])

    def _list_stream_options(self) -> list[str]:
        """The options that say what is streamed."""
        words = []
        if self.cassette is not None:
            words += ["--cassette", self.cassette]
        if self.event_ids != "all":
            words += ["--event-ids", self.event_ids]
        if self.resume != "exclusive":
            words += ["--resume", self.resume]
        if self.scenario is not None:
            words += ["--scenario", self.scenario]
        elif self.answer == self.mode.script:
            pass
        elif self.answer.keys() == {"text"}:
            words += ["--text", self.answer["text"]]
        else:
            words += ["--script", json.dumps(dict(self.answer), ensure_ascii=False)]
        if self.further is not None and self.further != self.mode.further:
            words += ["--further", json.dumps(dict(self.further), ensure_ascii=False)]
        return words


def _show(value: object) -> str:
    """A value of a script in a name: short, and without anything that a shell or a file of names would mind."""
    if isinstance(value, str | int | bool):
        return str(value)
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:6]
