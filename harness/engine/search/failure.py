"""The failures of a search before anyone decides: counts of answers, smallest histories, and what explains which.

Begins with the rules that a failure breaks: those of the API, those that only a search of it judges, and two for
any HTTP service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from harness.engine.decide import Policy, decide
from harness.engine.events import PhaseFinished, Replays, Reproduction, Result
from harness.kit.history import History
from harness.kit.search import SearchModel, TrailEntry
from harness.outcome import RANK, Basis, Because, Finding, Level, Observation, Outcome, Rule, Severity, Source
from harness.wire import Exchange
from harness.wire.message import BUSY

ANSWERED = "fuzz.answered"
NO_CRASH = "fuzz.no-5xx"

RULES: tuple[Rule, ...] = (
    Rule(
        id=ANSWERED,
        level=Level.MUST,
        statement="The server responds to each request, and each response ends.",
        breaks="A client waits until its own timeout, and cannot distinguish a slow service from a stopped one.",
        source=Source(Basis.GENERIC, "RFC 9110", "3.4 Messages"),
    ),
    Rule(
        id=NO_CRASH,
        level=Level.MUST,
        statement="No request causes a server error (a 5xx other than 501, 503 and 504).",
        breaks="A request of one client can stop the service for others, and retries make it worse.",
        source=Source(Basis.GENERIC, "RFC 9110", "15.6 Server Error 5xx"),
    ),
)

SEARCHED = Rule(
    id="fuzz.searched",
    level=Level.MUST,
    statement="An engine sends enough requests to prove something.",
    breaks="A search with only rejected requests looks like a search without findings.",
    source=Source(Basis.GENERIC, "Fuzzing", "Vacuity"),
)
"""What a run says of each of its engines; no finding is about it."""

_OWN = {rule.id: rule for rule in RULES}


def list_rules(model: SearchModel) -> dict[str, Rule]:
    """Every rule that a finding of a search may break, by id."""
    return {**model.rules, **_OWN}


def rule_of(rule_id: str, model: SearchModel) -> Rule:
    """The rule of a finding."""
    return _OWN.get(rule_id) or model.rules[rule_id]


# What identifies a defect in a search: its code, the call whose answer shows it, and where in the answer.
# The sentence of a finding never counts, nor do numbers of steps and events: one defect is counted as one,
# however often it is seen.


@dataclass(frozen=True, slots=True)
class SeenDefect:
    """A finding, and the call whose answer shows it; "" if that is unknown."""

    finding: Finding
    call: str = ""

    @property
    def rule(self) -> str:
        return self.finding.rule

    @property
    def name(self) -> str:
        """The code, with `?` if it is broken only in a strict reading."""
        return mark_strict(self.finding, self.finding.stable_code)

    @property
    def key(self) -> str:
        """A text that is equal for equal defects; the two readings of a rule are different defects."""
        _, call, pointer = self.finding.kind(self.call)
        return " ".join(filter(None, (self.name, call, pointer)))


def mark_strict(finding: Finding, name: str) -> str:
    """The name, with `?` if the finding breaks its rule only in a strict reading."""
    return name if finding.severity is Severity.BROKEN else f"{name}?"


# Counts the responses to each call, so that a search can report calls that never succeeded.
# The names of the kinds are printed.


ACCEPTED, REJECTED, LATER, FAILED, UNANSWERED = "accepted", "rejected", "rejected for now", "failed", "unanswered"


class AnswerCounts(Counter[tuple[str, str]]):
    """How many responses of each kind there were, by call and kind."""

    def add(self, call: str, status: int | None) -> None:
        """Count one answer with this status; None: none came."""
        if status is None:
            kind = UNANSWERED
        elif status in BUSY:
            kind = LATER
        elif 200 <= status < 300:
            kind = ACCEPTED
        else:
            kind = REJECTED if status < 500 or status == 501 else FAILED
        self[call, kind] += 1

    @property
    def totals(self) -> Counter[str]:
        found = Counter[str]()
        for (_, kind), number in self.items():
            found[kind] += number
        return found

    @property
    def accepted(self) -> list[str]:
        """The calls that got a 2xx at least once."""
        return sorted({call for call, kind in self if kind == ACCEPTED})

    @property
    def never_accepted(self) -> list[str]:
        """The calls that never got one."""
        return sorted({call for call, _ in self}.difference(self.accepted))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One broken rule. `history` reproduces it on any target; it is empty if only the requests are known.

    `trail` holds the exchanges of the smallest history, in the order in which they were sent. `seen` counts the
    responses that showed it, and `consequences` has the keys of its consequences. `known`: it was stored by an
    earlier run. `unshrunk` is the reason why a smaller history may show it too, "" if none does. `replays` are the
    results of repeating it.
    """

    engine: str
    defect: SeenDefect
    history: History = ()
    trail: tuple[Exchange, ...] = ()
    seen: int = 1
    known: bool = False
    unshrunk: str = ""
    replays: Replays = field(default_factory=Replays)
    consequences: tuple[str, ...] = ()

    @property
    def finding(self) -> Finding:
        return self.defect.finding

    @property
    def key(self) -> str:
        """The value that distinguishes it from other failures."""
        return self.defect.key

    @property
    def rule(self) -> str:
        return self.finding.rule

    @property
    def is_suspicion(self) -> bool:
        """Whether it is a hang that was waited for only once: the target may only have been slow."""
        return self.rule == ANSWERED and not self.replays.played and any(one.hung for one in self.trail)

    def rank(self, model: SearchModel) -> int:
        return RANK[rule_of(self.rule, model).level]

    def decide(self, policy: Policy, model: SearchModel) -> Result:
        """The result for the run; a failure that never happened again is no more than a warning."""
        finding = structs.replace(self.finding, weight=self.seen + len(self.consequences))
        if (self.replays.lost or self.is_suspicion) and finding.severity is Severity.BROKEN:
            finding = structs.replace(finding, severity=Severity.NON_STRICT)
        return decide(
            rule_of(self.rule, model),
            Observation.of([finding]),
            policy,
            result_id=mark_strict(self.finding, self.rule),
            show=lambda _: self.trail,
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
    """The run of one engine. `counts` has the engine's own names; `vacuous` has reasons why it proves nothing.

    `late` is the reason if it did too little for lack of time. `answers` counts the responses to each call.
    `stopped`: the user ended it.
    """

    engine: str
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    vacuous: tuple[str, ...] = ()
    late: str = ""
    notes: tuple[str, ...] = ()
    answers: AnswerCounts = field(default_factory=AnswerCounts)
    stopped: bool = False

    def phase(self) -> PhaseFinished:
        """The run of the engine, as an event."""
        return PhaseFinished(
            name=self.engine,
            seconds=self.seconds,
            counts=self.counts,
            findings=len(self.failures),
            notes=(*filter(None, [self.late]), *self.notes),
            vacuous=self.vacuous,
            answers=dict(self.answers.totals),
            accepted=tuple(self.answers.accepted),
            never_accepted=tuple(self.answers.never_accepted),
        )

    def decide(self, policy: Policy) -> Result:
        """Whether the engine proves anything; that it found something is no failure of its own."""
        observation = Observation(Outcome.MET)
        if self.late:  # the limit of the user left it out
            observation = Observation(Outcome.EXCLUDED, reason=self.late, because=Because.LEFT_OUT)
        if self.vacuous:
            because = Because.INTERRUPTED if self.stopped else Because.NOT_TRIED
            observation = Observation.untestable("; ".join(self.vacuous), because, "it tested too little")
        return decide(
            SEARCHED,
            observation,
            policy,
            result_id=f"{SEARCHED.id}[{self.engine}]",
            title=self.engine,
            seconds=self.seconds,
            phase=self.engine,
        )


# Folds failures under the failure that made them unavoidable, so that one defect is reported once.


def fold(run: EngineRun, earlier: Sequence[Failure], model: SearchModel) -> EngineRun:
    """The run with its consequences under their causes; a note names an earlier engine that found the cause."""
    first: list[Failure] = []
    folded: list[tuple[Failure, Failure]] = []
    notes: list[str] = []
    for failure in run.failures:
        cause = _find_cause(failure, (*run.failures, *earlier), model)
        if cause is None:
            first.append(failure)
        elif cause in run.failures:
            folded.append((failure, cause))
        else:
            notes.append(f"{failure.key} is a consequence of {cause.finding.stable_code}, which was found before")
    caused = {
        one.key: (*one.consequences, *(failure.key for failure, cause in folded if cause.key == one.key))
        for one in first
    }
    return replace(
        run,
        failures=tuple(replace(one, consequences=tuple(dict.fromkeys(caused[one.key]))) for one in first),
        notes=(*run.notes, *notes),
    )


def _find_cause(failure: Failure, others: Sequence[Failure], model: SearchModel) -> Failure | None:
    """The failure that this one follows from, itself no consequence; None if there is none."""
    rest = [other for other in others if other is not failure]
    # Two that follow from each other are two failures.
    causes = (one for one in rest if _follows(failure, one, model) and not _follows(one, failure, model))
    direct = next(causes, None)
    return None if direct is None else _find_cause(direct, rest, model) or direct


def _follows(failure: Failure, cause: Failure, model: SearchModel) -> bool:
    named = failure.finding.cause == cause.finding.stable_code and cause.defect.call == failure.defect.call
    rests = (
        cause.rule in model.rests_on.get(failure.rule, ()) and cause.finding.cause != failure.finding.stable_code
    )
    if not (named or rests):
        return False
    if cause.finding.severity is not Severity.BROKEN or cause.replays.lost or cause.is_suspicion:
        return False  # it is not as bad
    return cause.rank(model) >= failure.rank(model)
