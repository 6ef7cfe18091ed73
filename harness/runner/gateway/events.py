"""What a run against a gateway tells while it goes; reports listen.

Layer 4, values only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from harness.outcome import Exit, Observation, Verdict, exit_code
from harness.runner.events import count
from harness.runner.gateway.passage import Passage
from harness.runner.gateway.rules import GatewayCheck


@dataclass(frozen=True, slots=True)
class GatewayStarted:
    """A create came through: the gateway stands between us. `trials` are still to be made."""

    checks: int
    trials: int


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """One more trial; the run waits on `watch` for what a gateway does unasked."""

    name: str


@dataclass(frozen=True, slots=True)
class GatewayStopped:
    """The gateway answers nothing any more, not even a plain create: what is left is not tried.

    `passage` is the first that had no answer, `silent` how many had none in a row, itself included, `unfinished`
    the trials that were not made, or not to their end, out of `trials`.
    """

    passage: Passage
    silent: int
    unfinished: tuple[str, ...]
    trials: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict. `passages` is its evidence, empty unless a finding names some; `reason` why it is excused.

    `unjudged`: it was not tried, or it is a MUST and the gateway gave no answer that could be judged.
    """

    check: GatewayCheck
    observation: Observation
    verdict: Verdict
    passages: tuple[Passage, ...] = ()
    reason: str = ""
    unjudged: bool = False


@dataclass(frozen=True, slots=True)
class GatewayFinished:
    """All verdicts, in the order of the rules; `stopped` where the gateway did not last as long as the run."""

    results: tuple[Judged, ...]
    seconds: float
    stopped: GatewayStopped | None = None

    @property
    def counts(self) -> dict[Verdict, int]:
        """Every bucket, the empty ones too."""
        return count(self._verdicts())

    @property
    def exit(self) -> Exit:
        """The exit code that these verdicts mean; with a rule that had no answer it is not green."""
        return exit_code(self._verdicts(), unjudged=bool(self.unjudged))

    @property
    def unjudged(self) -> tuple[Judged, ...]:
        """Every rule of which nothing is known because no answer came."""
        return tuple(result for result in self.results if result.unjudged)

    def _verdicts(self) -> Iterable[Verdict]:
        return (result.verdict for result in self.results)


GatewayEvent: TypeAlias = GatewayStarted | TrialStarted | GatewayStopped | Judged | GatewayFinished
