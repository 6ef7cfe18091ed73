"""What a search found before anyone decides: failures with their smallest history, and a record of each engine.

Layer 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.engine.decide import Policy, decide
from harness.engine.events import PhaseFinished
from harness.engine.results import LoggedExchange, Replays, Reproduction, Result
from harness.engine.search.answer_counts import AnswerCounts
from harness.engine.search.defect import SeenDefect, mark_strict
from harness.engine.search.rules import ANSWERED, SEARCHED, rule_of
from harness.kit.api import Api
from harness.kit.search import History, TrailEntry
from harness.outcome import Because, Finding, Observation, Outcome, Severity
from harness.wire import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One broken promise. `history` reproduces it on any target; it is empty if only the requests are known.

    `trail` holds the exchanges of the smallest history, in the order in which they were sent, or `logged` has them
    as the report of another run does. `seen` counts the answers that showed it, and `consequences` has the keys of
    what it made unavoidable. `known`: it was stored by an earlier run. `unshrunk` says why a smaller history may
    show it too, "" if none does. `replays` is what came of playing it again.
    """

    engine: str
    defect: SeenDefect
    history: History = ()
    trail: tuple[Exchange, ...] = ()
    logged: tuple[LoggedExchange, ...] = ()
    seen: int = 1
    known: bool = False
    unshrunk: str = ""
    replays: Replays = field(default_factory=Replays)
    consequences: tuple[str, ...] = ()

    @property
    def finding(self) -> Finding:
        """What is wrong."""
        return self.defect.finding

    @property
    def key(self) -> str:
        """What distinguishes it from other failures."""
        return self.defect.key

    @property
    def rule(self) -> str:
        """The id of the rule that is broken."""
        return self.finding.rule

    @property
    def is_suspicion(self) -> bool:
        """Whether it is a hang that nobody waited for again: the target may only have been slow."""
        return self.rule == ANSWERED and not self.replays.played and self._never_came

    @property
    def _never_came(self) -> bool:
        return any(one.hung for one in self.trail) or any(one.status is None for one in self.logged)

    def decide(self, policy: Policy, api: Api) -> Result:
        """What it means for the run; what never happened again is no more than a warning."""
        finding = replace(self.finding, weight=self.seen + len(self.consequences))
        if (self.replays.lost or self.is_suspicion) and finding.severity is Severity.BROKEN:
            finding = replace(finding, severity=Severity.NON_STRICT)
        return decide(
            rule_of(self.rule, api),
            Observation.of([finding]),
            policy,
            result_id=mark_strict(self.finding, self.rule),
            show=lambda _: self.trail or self.logged,
            reproduction=Reproduction(
                key=self.key,
                call=self.defect.call,
                steps=self.history,
                unshrunk=self.unshrunk,
                known=self.known,
                replays=self.replays,
                consequences=self.consequences,
            ),
            phase=self.engine,
        )


@dataclass(frozen=True, slots=True)
class Bug:
    """A defect as it was first or most briefly seen; its requests may still be going on."""

    defect: SeenDefect
    history: History
    sent: Sequence[TrailEntry]

    def failure(self, engine: str, seen: int = 1) -> Failure:
        """This bug as a `Failure`, once its requests have ended."""
        trail = tuple(sent.exchange for sent in self.sent if sent.exchange is not None)
        return Failure(engine=engine, defect=self.defect, history=self.history, trail=trail, seen=seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRun:
    """What one engine did. `counts` has names of the engine's choice; `vacuous` says why it proves nothing.

    `answers` is how each call was answered, and `stopped` says that the user ended it.
    """

    engine: str
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    vacuous: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    answers: AnswerCounts = field(default_factory=AnswerCounts)
    stopped: bool = False

    def phase(self) -> PhaseFinished:
        """What the engine did, as an event."""
        return PhaseFinished(
            name=self.engine,
            seconds=self.seconds,
            counts=self.counts,
            findings=len(self.failures),
            notes=self.notes,
            vacuous=self.vacuous,
            answers=dict(self.answers.totals),
            accepted=tuple(self.answers.accepted),
            never_accepted=tuple(self.answers.never_accepted),
            calls={call: dict(kinds) for call, kinds in self.answers.by_call.items()},
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
