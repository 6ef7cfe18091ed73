"""What a judge says: findings, and the observation of one check made of them.

Layer 0. Findings are frozen data; rendering them is `report`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Where:
    """The place a finding speaks of.

    `event` is the 0-based number of the event in its stream, `start` and `end` its byte span there, `pointer`
    a path into a JSON value (`$.steps[0].type`), `exchange` the name of the exchange in its check.
    """

    exchange: str = ""
    file: str = ""
    event: int | None = None
    start: int | None = None
    end: int | None = None
    pointer: str = ""


class Severity(StrEnum):
    """Whether a finding breaks its rule, keeps it in a lenient reading only, or merely informs."""

    BROKEN = "broken"
    NON_STRICT = "non_strict"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a judge noticed, under the id of the rule it concerns."""

    rule: str
    message: str
    expected: str = ""
    actual: str = ""
    where: Where = field(default_factory=Where)
    severity: Severity = Severity.BROKEN

    def at(self, **place: object) -> Finding:
        """The same finding with parts of its place filled in."""
        return replace(self, where=replace(self.where, **place))  # type: ignore[arg-type]


class Outcome(StrEnum):
    """What became of a check before its level is considered.

    The first five are observations, the last three the planner's.
    """

    MET = "met"
    NOT_MET = "not_met"
    NON_STRICT = "non_strict"
    UNTESTABLE = "untestable"
    ERROR = "error"
    NOT_APPLICABLE = "not_applicable"
    EXCLUDED = "excluded"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of one check: an outcome, the findings behind it, and the reason where there are none.

    `race_lost` marks an untestable outcome that is nobody's broken promise (the run finished first), `unanswered`
    one whose cause is that the target did not answer, with what came instead ("429", "no answer").
    """

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    race_lost: bool = False
    unanswered: str = ""

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Observation:
        """Met, non-strict or not met, whichever the worst of the findings says."""
        found = tuple(findings)
        severities = {finding.severity for finding in found}
        if Severity.BROKEN in severities:
            return cls(Outcome.NOT_MET, found)
        if Severity.NON_STRICT in severities:
            return cls(Outcome.NON_STRICT, found)
        return cls(Outcome.MET, found)

    @classmethod
    def untestable(cls, reason: str, *, race_lost: bool = False) -> Observation:
        """The target gave no chance to look; `reason` says what was missing."""
        return cls(Outcome.UNTESTABLE, reason=reason, race_lost=race_lost)
