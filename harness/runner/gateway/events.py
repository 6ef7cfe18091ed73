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
class Judged:
    """One verdict. `passages` is its evidence, empty unless a finding names some; `reason` why it is excused."""

    check: GatewayCheck
    observation: Observation
    verdict: Verdict
    passages: tuple[Passage, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GatewayFinished:
    """All verdicts, in the order of the rules."""

    results: tuple[Judged, ...]
    seconds: float

    @property
    def counts(self) -> dict[Verdict, int]:
        """Every bucket, the empty ones too."""
        return count(self._verdicts())

    @property
    def exit(self) -> Exit:
        """The exit code that these verdicts mean."""
        return exit_code(self._verdicts())

    def _verdicts(self) -> Iterable[Verdict]:
        return (result.verdict for result in self.results)


GatewayEvent: TypeAlias = GatewayStarted | TrialStarted | Judged | GatewayFinished
