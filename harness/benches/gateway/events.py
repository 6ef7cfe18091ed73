"""The events that a run against a gateway emits; reports listen to them.

Layer 5, values only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from harness.benches.gateway.catalogue.rules import GatewayCheck
from harness.benches.gateway.relayed_exchange import Passage
from harness.engine.events import count
from harness.outcome import Exit, Observation, Verdict, exit_code


@dataclass(frozen=True, slots=True)
class GatewayStarted:
    """A create came through, so the gateway stands between client and upstream; `trials` trials follow."""

    checks: int
    trials: int


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial begins. `watch` is announced again before its end, a wait for what a gateway does unasked."""

    name: str


@dataclass(frozen=True, slots=True)
class GatewayStopped:
    """The gateway no longer answers anything, not even a plain create, so the remaining trials are not made.

    `passage` is the first that had no answer; `silent` is how many in a row had none, including that one.
    `unfinished` are the trials that were not made or not finished, out of `trials`.
    """

    passage: Passage
    silent: int
    unfinished: tuple[str, ...]
    trials: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict. `passages` is its evidence, empty unless a finding names some; `reason` is why it is excused.

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
    """All verdicts, in the order of the rules; `stopped` is set if the gateway stopped answering meanwhile."""

    results: tuple[Judged, ...]
    seconds: float
    stopped: GatewayStopped | None = None

    @property
    def counts(self) -> dict[Verdict, int]:
        """The number of results for each verdict, including zeros."""
        return count(self._verdicts())

    @property
    def exit(self) -> Exit:
        """The exit code that these verdicts mean; it is never green if a result is `unjudged`."""
        return exit_code(self._verdicts(), unjudged=bool(self.unjudged))

    @property
    def unjudged(self) -> tuple[Judged, ...]:
        """The results that say nothing because no answer came."""
        return tuple(result for result in self.results if result.unjudged)

    def _verdicts(self) -> Iterable[Verdict]:
        return (result.verdict for result in self.results)


GatewayEvent: TypeAlias = GatewayStarted | TrialStarted | GatewayStopped | Judged | GatewayFinished
