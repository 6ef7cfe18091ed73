"""The state of a run, collected from its events; it is complete once the run has finished.

Layer 6. The formats that can only be written after the end (JSON, JUnit, HTML, Markdown, badge) are functions of
a finished run. How a command words it is not in here: see `PresentedRun`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from harness.engine.capabilities import Capabilities
from harness.engine.events import (
    PhaseFinished,
    Planned,
    Probed,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    TargetInfo,
)
from harness.engine.results import Result
from harness.kit.api import Api
from harness.outcome import Level, Verdict
from harness.report.evidence.display import EMBEDDED_ROOT, Display
from harness.wire.mask import Mask


@dataclass(slots=True)
class RunState:
    """What the events have said so far; `target` and `finished` are None until their events come.

    `started` is the time of day at which the first event came.
    """

    api: Api
    target: TargetInfo | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    planned: Planned = field(default_factory=lambda: Planned(0, 0))
    phases: list[PhaseFinished] = field(default_factory=list)
    stopped: RunStopped | None = None
    finished: RunFinished | None = None
    mask: Mask = field(default_factory=Mask)
    started: datetime | None = None

    def handle(self, event: RunEvent) -> None:
        """Record one event."""
        match event:
            case RunStarted(target):
                self.target = target
                self.started = self.started or datetime.now(UTC)
                self.mask = Mask(target.secrets, self.api.load_protocol().secret_fields)
            case Probed(capabilities):
                self.capabilities = capabilities
            case Planned():
                self.planned = event
            case PhaseFinished():
                self.phases.append(event)
            case RunStopped():
                self.stopped = event
            case RunFinished():
                self.finished = event
            case _:
                pass

    def whole(self) -> tuple[TargetInfo, RunFinished]:
        """The target and the final event of a finished run. Raises RuntimeError before the run has finished."""
        if self.target is None or self.finished is None:
            raise RuntimeError("the run has not finished: a report of half a run would look whole")
        return self.target, self.finished

    @property
    def results(self) -> tuple[Result, ...]:
        """The results of a finished run, in the order of the catalogue."""
        return self.whole()[1].results

    @property
    def most_urgent_first(self) -> list[Result]:
        """The results by verdict and level, silent breaches first, then by harm and weight."""
        return sorted(self.results, key=urgency_of)

    @property
    def halted_text(self) -> str:
        """Why the run ended before it was through, as a sentence without secrets; `""` if it was through."""
        halted = self.whole()[1].halted
        return f"The run ended early: {self.mask.text(halted).rstrip('.')}." if halted else ""

    @property
    def started_text(self) -> str:
        """When the run began, as a date and time in UTC; `""` if it has not begun."""
        return self.started.strftime("%Y-%m-%dT%H:%M:%SZ") if self.started else ""

    @property
    def root(self) -> str:
        """The root of `curl` lines; where `harness serve --port 8000` listens if the target has no URL."""
        return (self.target.url if self.target else "") or EMBEDDED_ROOT

    @property
    def display(self) -> Display:
        """How the evidence of this run is shown."""
        return Display(self.api, self.root, self.mask)


def urgency_of(result: Result) -> tuple[int, int, bool, int, int]:
    """What a report sorts results by: verdict, level, whether a client can notice it, its harm, and its weight."""
    rule = result.rule
    rank = _RANK.get(result.verdict, len(_RANK))
    return rank, _LEVELS[rule.level], not rule.silent, rule.harm, -result.weight


_RANK = {
    verdict: rank
    for rank, verdict in enumerate(
        (
            Verdict.ERROR,
            Verdict.FAIL,
            Verdict.STALE,
            Verdict.WARN,
            Verdict.XFAIL,
            Verdict.INFO,
            Verdict.UNTESTABLE,
        )
    )
}
_LEVELS = {Level.MUST: 0, Level.SHOULD: 1, Level.MAY: 2}
