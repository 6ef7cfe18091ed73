"""What a search found before anyone decides: failures with their smallest history, and a record of each engine.

Layer 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.engine.decide import Policy, decide
from harness.engine.events import PhaseFinished
from harness.engine.results import Reproduction, Result
from harness.engine.search.rules import SEARCHED, rule_of
from harness.outcome import Because, Finding, Observation, Outcome, Severity
from harness.strategies.operations import ClientCommand
from harness.wire import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One broken promise. `history` reproduces it on any target; it is empty if only the requests are known.

    `trail` holds the exchanges of the smallest history, in order. `known`: it was stored by an earlier run. Unless
    `shrunk`, a smaller history may show it too: the time or the number of tries ran out first.
    """

    engine: str
    finding: Finding
    history: tuple[ClientCommand, ...] = ()
    trail: tuple[Exchange, ...] = ()
    known: bool = False
    shrunk: bool = True

    @property
    def key(self) -> str:
        """What distinguishes it from other failures."""
        return key_of(self.finding)

    @property
    def rule(self) -> str:
        """The id of the rule that is broken."""
        return self.finding.rule

    def decide(self, policy: Policy) -> Result:
        """What it means for the run."""
        return decide(
            rule_of(self.rule),
            Observation.of([self.finding]),
            policy,
            result_id=_strictly(self.finding, self.rule),
            show=lambda _: self.trail,
            reproduction=Reproduction(key=self.key, steps=self.history, shrunk=self.shrunk, known=self.known),
            phase=self.engine,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRun:
    """What one engine did. `counts` has names of the engine's choice; `vacuous` says why it proves nothing."""

    engine: str
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    vacuous: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def phase(self) -> PhaseFinished:
        """What the engine did, as an event."""
        return PhaseFinished(
            name=self.engine,
            seconds=self.seconds,
            counts=self.counts,
            findings=len(self.failures),
            notes=self.notes,
            vacuous=self.vacuous,
        )

    def decide(self, policy: Policy) -> Result:
        """Whether the engine proves anything; that it found something is no failure of its own."""
        observation = Observation(Outcome.MET)
        if self.vacuous:
            observation = Observation.untestable("; ".join(self.vacuous), Because.NOT_TRIED, "it proves nothing")
        return decide(
            SEARCHED,
            observation,
            policy,
            result_id=f"{SEARCHED.id}[{self.engine}]",
            title=self.engine,
            seconds=self.seconds,
            phase=self.engine,
        )


class Broken(Exception):
    """Raised inside Hypothesis to stop and shrink a history; carries everything a `Failure` needs.

    Hypothesis tells bugs apart by the type and location of the exception, so each rule gets its own subclass.
    """

    def __init__(self, finding: Finding, history: tuple[ClientCommand, ...], trail: tuple[Exchange, ...]) -> None:
        super().__init__(f"{finding.rule}: {finding.message}")
        self.finding = finding
        self.history = history
        self.trail = trail

    def failure(self, engine: str) -> Failure:
        """This bug as a `Failure`."""
        return Failure(engine=engine, finding=self.finding, history=self.history, trail=self.trail)


def key_of(finding: Finding) -> str:
    """The code, with `?` if it is broken only in a strict reading: the two cases count as different failures."""
    return _strictly(finding, finding.stable_code)


def _strictly(finding: Finding, name: str) -> str:
    return name if finding.severity is Severity.BROKEN else f"{name}?"


_KINDS: dict[str, type[Broken]] = {}


def to_exception(finding: Finding, history: tuple[ClientCommand, ...], trail: tuple[Exchange, ...]) -> Broken:
    """The exception for a finding, of the type for its rule."""
    kind = _KINDS.get(key_of(finding))
    if kind is None:
        kind = _KINDS[key_of(finding)] = type(f"Broken[{key_of(finding)}]", (Broken,), {})
    return kind(finding, history, trail)
