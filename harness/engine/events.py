"""The events that a run emits; every report listens to them.

Layer 4. Frozen data only; must not know who listens or how a request is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from harness.engine.capabilities import Capabilities
from harness.engine.traffic.retries import Waited
from harness.engine.traffic.timeout_budget import TimeoutLosses
from harness.kit.check import Check
from harness.outcome import Exit, Observation, Verdict, exit_code
from harness.wire import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInfo:
    """What a report may print about the target.

    `url` is the root for `curl` lines, `""` for the embedded emulator. `secrets` are the values that must never
    be printed, by the environment variable that replaces each.
    """

    name: str
    url: str
    version: str
    model: str
    agent: str
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """One check's verdict. `exchanges` is its evidence, empty if the verdict needs no explanation."""

    check: Check
    observation: Observation
    verdict: Verdict
    seconds: float = 0.0
    exchanges: tuple[Exchange, ...] = ()
    reason: str = ""
    """Why the baseline excuses it."""
    unjudged: bool = False
    """It is a MUST and the target gave no answer that could be judged; or, at any level, time ran out."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The target was resolved; nothing has been sent."""

    target: TargetInfo


@dataclass(frozen=True, slots=True)
class Probed:
    """What the target can do, as declared, announced or found with `requests` requests.

    `notes` are sentences about the target that a reader of the verdicts needs.
    """

    capabilities: Capabilities
    requests: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """How much there is to do."""

    checks: int
    exercises: int


@dataclass(frozen=True, slots=True)
class ExerciseStarted:
    """The exercise `name` begins; `checks` are the ids of the checks that use it."""

    name: str
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckFinished:
    """One more verdict; every check of the catalogue gets exactly one."""

    result: Result


@dataclass(frozen=True, slots=True)
class RunFinished:
    """All verdicts, in the order of the catalogue.

    `leftovers` are the resources that could not be deleted. `waited` is the time spent because the target said
    "later", and `cut` is what was lost to answers that did not end.
    """

    results: tuple[Result, ...]
    seconds: float
    leftovers: tuple[str, ...] = ()
    waited: Waited = field(default_factory=Waited)
    cut: TimeoutLosses = field(default_factory=TimeoutLosses)

    @property
    def counts(self) -> dict[Verdict, int]:
        """The number of results for each verdict, including zeros; they add up to the catalogue."""
        return count(result.verdict for result in self.results)

    @property
    def exit(self) -> Exit:
        """The exit code that these verdicts mean."""
        return exit_code((result.verdict for result in self.results), unjudged=bool(self.unjudged))

    @property
    def unjudged(self) -> tuple[Result, ...]:
        """Results that say nothing: each MUST without an answer, and each check for which time ran out."""
        return tuple(result for result in self.results if result.unjudged)


def count(verdicts: Iterable[Verdict]) -> dict[Verdict, int]:
    """How many there are of each verdict, in the order of `Verdict`."""
    seen = Counter(verdicts)
    return {verdict: seen[verdict] for verdict in Verdict}


Event: TypeAlias = RunStarted | Probed | Planned | ExerciseStarted | CheckFinished | RunFinished
