"""The events of a run, without its secrets: the one way of a run into reports.

Chooses nothing and words nothing: that is for `presented_run`, which shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec.structs import replace

from harness.engine import events
from harness.engine.events import Capabilities
from harness.engine.results import Result
from harness.kit.api import Api
from harness.kit.relay import RelayedExchange
from harness.outcome import Exit, Rule
from harness.report.accounting import to_sentence
from harness.report.evidence.curl import EMBEDDED_ROOT, Display
from harness.wire import Exchange
from harness.wire.mask import Mask, hide_secrets

_LEFT = (Exchange, RelayedExchange, Rule)
"""What an event has beside texts of a target: the wire, and rules, which are ours."""

Made = TypeVar("Made")


@dataclass(slots=True)
class CollectedRun:
    """A run as its events describe it, without its secrets.

    `target` and `finished` are None until their events come. `started` is the time of day at which the first event
    came. `revision` is that of the API, `""` if each recording names its own.
    """

    api: Api
    target: events.TargetInfo | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    planned: events.Planned = field(default_factory=lambda: events.Planned(0, 0))
    phases: list[events.PhaseFinished] = field(default_factory=list)
    stopped: events.RunStopped | None = None
    finished: events.RunFinished | None = None
    exercises: list[events.ExerciseFinished] = field(default_factory=list)
    mask: Mask = field(default_factory=Mask)
    started: datetime | None = None
    revision: str = field(default="", kw_only=True)
    _hidden: dict[int, tuple[Result, Result]] = field(default_factory=dict, init=False, repr=False)
    _once: dict[str, tuple[events.RunFinished | None, Any]] = field(default_factory=dict, init=False, repr=False)

    def handle(self, event: events.RunEvent) -> None:
        """Record one event, without its secrets."""
        if isinstance(event, events.CheckFinished):  # the end of the run has all results again
            return
        if isinstance(event, events.RunStarted):
            self.mask = Mask(event.target.secrets, self.api.load_protocol().secret_fields)
            self._hidden.clear()
        elif isinstance(event, events.PhaseFinished):
            self.mask.add(event.keys)
        match self.hide(event):
            case events.RunStarted(target):
                self.target = target
                self.started = self.started or datetime.now(UTC)
            case events.Probed(capabilities):
                self.capabilities = capabilities
            case events.Planned() as planned:
                self.planned = planned
            case events.ExerciseFinished() as exercise:
                self.exercises.append(exercise)
            case events.PhaseFinished() as phase:
                self.phases.append(phase)
            case events.RunStopped() as stopped:
                self.stopped = stopped
            case events.RunFinished() as finished:
                self.finished = finished
            case _:
                pass

    def hide(self, event: events.RunEvent) -> events.RunEvent:
        """The event without secrets: the one way of a run's texts into reports.

        The bytes on the wire stay as they were, and are masked where they are put into words (`Display`). Every
        listener asks for the same results, each of which is looked through once.
        """
        match event:
            case events.RunStarted(target):
                return events.RunStarted(replace(hide_secrets(target, self.mask), secrets=target.secrets))
            case events.Probed(capabilities):
                shown = Capabilities(hide_secrets(item, self.mask) for item in capabilities)
                return replace(hide_secrets(event, self.mask, (Capabilities,)), capabilities=shown)
            case events.CheckFinished(result):
                return events.CheckFinished(self._hide_result(result))
            case events.RunFinished(results):
                hidden = tuple(map(self._hide_result, results))
                return replace(hide_secrets(event, self.mask, (*_LEFT, Result)), results=hidden)
            case events.PhaseFinished() | events.RunStopped():
                return hide_secrets(event, self.mask, _LEFT)
        return event

    def _hide_result(self, result: Result) -> Result:
        known = self._hidden.get(id(result))
        if known is None:
            # The members that are our words: most results are named by nothing but their rule.
            own_id = ("id",) if result.id == result.rule.id else ()
            title, statement = result.title, result.rule.statement
            is_stated = title[1:] == statement[1:].rstrip(".") and title[:1].lower() == statement[:1].lower()
            ours = ("accepts", "profile", *own_id, *(("title",) if is_stated else ()))
            # The result itself is kept, too, so that no other one gets its id.
            known = self._hidden[id(result)] = result, hide_secrets(result, self.mask, _LEFT, ours)
        return known[1]

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return the value of this name for the finished run, made once: every format asks for the same sums."""
        known = self._once.get(name)
        if known is None or known[0] is not self.finished:
            known = self._once[name] = self.finished, make()
        made: Made = known[1]
        return made

    def whole(self) -> tuple[events.TargetInfo, events.RunFinished]:
        """The target and the final event of a finished run. Raises RuntimeError before the run has finished."""
        if self.target is None or self.finished is None:
            raise RuntimeError("the run has not finished: a report of half a run would look whole")
        return self.target, self.finished

    @property
    def results(self) -> tuple[Result, ...]:
        """The results of a finished run, in the order of the catalog."""
        return self.whole()[1].results

    @property
    def halted_text(self) -> str:
        """Why the run ended before it was through, as a sentence without secrets; `""` if it was through."""
        finished = self.whole()[1]
        why = finished.halted.rstrip(".")
        if finished.exit is Exit.INCOMPLETE and not finished.results:
            return f"{to_sentence(why)}." if why else ""  # nothing began that could have ended early
        return f"The run ended early: {why}." if why else ""

    @property
    def started_text(self) -> str:
        """When the run began, as a date and time in UTC; `""` if it has not begun."""
        return self.started.strftime("%Y-%m-%dT%H:%M:%SZ") if self.started else ""

    @property
    def display(self) -> Display:
        """How the evidence of this run is shown; a target without a URL is where `harness serve` listens."""
        return Display(self.api, (self.target.url if self.target else "") or EMBEDDED_ROOT, self.mask)

    @property
    def whole_stream(self) -> int:
        """The number of events of the stream that every result is about; 0 if there is no such stream."""
        return self.phases[0].counts.get("events", 0) if self.phases else 0
