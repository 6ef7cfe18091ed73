"""What a run says while it goes: the events that every report listens to.

Layer 4. Frozen data only; must not know who listens, nor how a request is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from harness.checks.check import Check
from harness.outcome import Exit, Observation, Verdict, exit_code
from harness.runner.capabilities import Capabilities
from harness.runner.endurance import Cut
from harness.runner.polite import Waited
from harness.wire import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInfo:
    """What a report may print of the target.

    `url` is the root that a reader can send a curl to, `""` for the embedded emulator. `secrets` are the values
    that must never be printed, by the environment variable that stands for each.
    """

    name: str
    url: str
    version: str
    model: str
    agent: str
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """One check's verdict. `exchanges` is its evidence and empty unless the verdict is one to explain."""

    check: Check
    observation: Observation
    verdict: Verdict
    seconds: float = 0.0
    exchanges: tuple[Exchange, ...] = ()
    reason: str = ""
    """Why the baseline excuses it."""
    unjudged: bool = False
    """It is a MUST, and the target gave no answer that could be judged; or it was not asked for want of time."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The target was resolved; nothing has been sent."""

    target: TargetInfo


@dataclass(frozen=True, slots=True)
class Probed:
    """What the target can do, as declared, announced or found with `requests` requests.

    `notes` are sentences about it that a reader of the verdicts needs.
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
    """The exercise `name` begins; `checks` are the ids that it serves."""

    name: str
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckFinished:
    """One more verdict; every check of the catalogue gets exactly one."""

    result: Result


@dataclass(frozen=True, slots=True)
class RunFinished:
    """All verdicts, in the order of the catalogue.

    `leftovers` are the resources that would not be deleted; `waited` is what was spent because the target said
    "later", `cut` what was lost to answers that did not end.
    """

    results: tuple[Result, ...]
    seconds: float
    leftovers: tuple[str, ...] = ()
    waited: Waited = field(default_factory=Waited)
    cut: Cut = field(default_factory=Cut)

    @property
    def counts(self) -> dict[Verdict, int]:
        """Every bucket, the empty ones too; they add up to the catalogue."""
        return count(result.verdict for result in self.results)

    @property
    def exit(self) -> Exit:
        """The exit code that these verdicts mean."""
        return exit_code((result.verdict for result in self.results), unjudged=bool(self.unjudged))

    @property
    def unjudged(self) -> tuple[Result, ...]:
        """Every MUST that had no answer, and what was not asked for want of time: of these nothing is known."""
        return tuple(result for result in self.results if result.unjudged)


def count(verdicts: Iterable[Verdict]) -> dict[Verdict, int]:
    """How many of each, in the order of `Verdict`."""
    seen = Counter(verdicts)
    return {verdict: seen[verdict] for verdict in Verdict}


Event: TypeAlias = RunStarted | Probed | Planned | ExerciseStarted | CheckFinished | RunFinished
