"""The report of a judge: rules with their levels, findings, and the observation that sums up those of one check.

Findings are frozen data; `report` renders them. A rule is one requirement with an id, a level and a source. Must
not know any particular rule.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from harness.errors import Unmet
from harness.outcome.words import shorten


class Level(StrEnum):
    """The obligation of a rule, in the sense of RFC 2119."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Harm(IntEnum):
    """The harm of a broken rule to a user; the worst first."""

    OWNER = 0
    """Others read or change what is not theirs."""
    STATUS = 1
    """A wrong end is believed in."""
    TEXT = 2
    """Something is lost, doubled or changed."""
    IDS = 3
    """One thing is taken for another."""
    TIME = 4
    """A client waits for a whole run."""
    REST = 5


class Basis(StrEnum):
    """The kind of evidence a rule is based on; it limits the level (`harness/README.md`, "Never over-read")."""

    DOCUMENTED = "documented"
    SCHEMA = "schema"
    OBSERVED = "observed"
    INFERRED = "inferred"
    GENERIC = "generic"
    COMPARED = "compared"
    """Two sides of one gateway contradict each other; no document is needed (`docs/gateway-reference.md`)."""


HIGHEST: dict[Basis, Level] = {
    Basis.DOCUMENTED: Level.MUST,
    Basis.SCHEMA: Level.MUST,
    Basis.OBSERVED: Level.SHOULD,
    Basis.INFERRED: Level.SHOULD,
    Basis.GENERIC: Level.MUST,
    Basis.COMPARED: Level.MUST,
}
"""The highest level that a rule with each basis may have."""

RANK = {Level.MAY: 0, Level.SHOULD: 1, Level.MUST: 2}
"""Levels by how binding they are."""


class Subject(StrEnum):
    """The least that a judge of a rule must see."""

    EXERCISE = "exercise"
    """The exchanges of a client with a server."""

    RELAY = "relay"
    """Both sides of an intermediary."""


class Source(Struct, frozen=True):
    """Where a rule comes from: the page and its section, in words a reader can search for."""

    basis: Basis
    page: str
    section: str = ""
    url: str = ""

    def __str__(self) -> str:
        place = f"{self.page}, {self.section}" if self.section else self.page
        return f"{place} ({self.basis})"


class Rule(Struct, frozen=True, kw_only=True):
    """One rule of a contract.

    `statement` is the requirement, `broken` states in a clause what is wrong if it is not met, `broken_as` the
    same of findings with a word in their code, by that word. `breaks` is what that does to users. `since` and
    `until` are revisions of the API; `until` is the first one without the rule.
    `silent`: a client cannot notice that it is broken, because what it gets looks right. `effect`: it is about
    what an accepted request has to bring about.
    """

    id: str
    level: Level
    statement: str
    breaks: str
    source: Source
    broken: str = ""
    broken_as: tuple[tuple[str, str], ...] = ()
    since: str = ""
    until: str | None = None
    harm: Harm = Harm.REST
    silent: bool = False
    effect: bool = False
    subject: Subject = Subject.EXERCISE

    def __post_init__(self) -> None:
        if RANK[self.level] > RANK[HIGHEST[self.source.basis]]:
            raise ValueError(
                f"rule {self.id!r} is {self.level} but its basis is '{self.source.basis}', which carries at most "
                f"{HIGHEST[self.source.basis]}: lower the level or cite a stronger source"
            )

    @property
    def area(self) -> str:
        """The part of the id before the first dot."""
        return self.id.partition(".")[0]

    def is_stated_by(self, title: str) -> bool:
        """Whether a title states what is required, so that the statement beside it would repeat it."""
        return title.rstrip(".").lower() == self.statement.rstrip(".").lower()


LONGEST_REASON = 1_000
"""Characters of a reason, which may quote what a target sent: every report repeats it for each check."""

_INDEX = re.compile(r"\[\d+\]")


class Where(Struct, frozen=True):
    """The place that a finding refers to.

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
    """Whether a finding breaks its rule, satisfies it only in a lenient reading, or is mere information."""

    BROKEN = "broken"
    NON_STRICT = "non_strict"
    INFORMATION = "information"


class Finding(Struct, frozen=True):
    """One thing that a judge noticed; `rule` is the id of the rule it concerns.

    `code` separates several defects of one rule (`stream.equals-get/text`); "" stands for the rule itself.
    `cause` is the code of the finding that made this one unavoidable. `weight` counts the responses that show it
    and the findings it caused. `cure` is a known fix. `of_status`: the response has a wrong status, from which all
    else in it follows. None of the four changes a verdict. A finding with a `subject` is about that, wherever it
    is met: it is reported once, with a count.
    """

    rule: str
    message: str
    expected: str = ""
    actual: str = ""
    where: Where = field(default_factory=Where)
    severity: Severity = Severity.BROKEN
    code: str = ""
    cause: str = ""
    weight: int = 1
    cure: str = ""
    subject: str = ""
    of_status: bool = False

    @classmethod
    def from_code(cls, code: str, message: str, expected: str = "", actual: str = "", **more: Any) -> Finding:
        """A finding by its code, `rule` or `rule/word`."""
        rule, slash, _ = code.partition("/")
        return cls(rule, message, expected, actual, code=code if slash else "", **more)

    @property
    def stable_code(self) -> str:
        """The identity of the defect from one version to the next: its sentence may change, this may not."""
        return self.code or self.rule

    def kind(self, call: str = "") -> tuple[str, ...]:
        """The key that two findings of one defect share in responses to the same `call`: never their sentence."""
        if self.subject:
            return self.stable_code, self.subject
        return self.stable_code, call, _INDEX.sub("[]", self.where.pointer)

    def repeat(self, times: int, among: int = 0) -> Finding:
        """The finding as that of `times` responses, of `among` that could have shown it; 0 if that is unknown."""
        if times == 1:
            return self
        of_all = "all" if times == among else f"{times} of"
        where = f"{of_all} {among} responses" if among >= times else f"this response and {times - 1} more"
        message = f"{self.message}, in {where}"
        return replace(self, message=message, weight=self.weight - 1 + times)

    def at(self, **place: object) -> Finding:
        """Return a copy with the given fields of `where` filled in."""
        return replace(self, where=replace(self.where, **place))


class Outcome(StrEnum):
    """The result of a check, before the level of its rule is considered.

    The first five come from observations, the last four from the planner and from what other checks found.
    """

    MET = "met"
    NOT_MET = "not_met"
    NON_STRICT = "non_strict"
    UNTESTABLE = "untestable"
    ERROR = "error"
    NOT_APPLICABLE = "not_applicable"
    EXCLUDED = "excluded"
    NOT_RUN = "not_run"
    BLOCKED = "blocked"


_OUTCOMES = dict(zip(Severity, (Outcome.NOT_MET, Outcome.NON_STRICT, Outcome.MET), strict=True))
"""The outcome of a check with nothing worse; the worst first."""


class Because(StrEnum):
    """Why a rule was not judged."""

    LACKING = "lacking"
    """The target has not shown what the rule needs; a promise is broken if it was declared."""

    REFUSED = "refused"
    """The target refuses what the rule needs (4xx, 501): it does not offer it, which is its right."""

    BLOCKED = "blocked"
    """A finding stands in the way: what the rule needs was accepted and not done, or only a warning says so."""

    UNDECLARED = "undeclared"
    """It cannot be found out by asking: the user has to say or to give something."""

    LEFT_OUT = "left_out"
    """The user did not want it."""

    RACE_LOST = "race_lost"
    """No promise was broken: the run merely finished before the check could act."""

    NO_ANSWER = "no_answer"
    """The target gave no answer that could be judged."""

    OUR_LIMIT = "our_limit"
    """Our own time or budget ran out."""

    INTERRUPTED = "interrupted"
    """The user ended the run."""

    NOT_TRIED = "not_tried"
    """The run did not come to it."""


class Observation(Struct, frozen=True):
    """The result of one check: an outcome and its findings, or a reason if there are none.

    `because` is the kind of reason if nothing was judged. `instead` names what replaced a response ("429", "no
    answer"). `cause` is the code of the finding that made the outcome unavoidable. `remedy` is what would make
    the rule testable, and `needs` names the capability that only the user can declare.
    """

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    because: Because = Because.LACKING
    instead: str = ""
    cause: str = ""
    remedy: str = ""
    needs: str = ""

    @property
    def why(self) -> str:
        """The reason, else the messages of the findings."""
        return self.reason or "; ".join(finding.message for finding in self.findings)

    @property
    def worst(self) -> list[Finding]:
        """The findings of the worst severity: they decide the outcome, and only they name its cause."""
        return [finding for finding in self.findings if finding.severity is self.findings[0].severity]

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Observation:
        """Sum up `findings`: the worst severity decides between met, non-strict and not met, and comes first.

        So the first finding is the one that names the cause of what follows from a check.
        """
        ranks = [*_OUTCOMES]
        found = tuple(sorted(findings, key=lambda finding: ranks.index(finding.severity)))
        return cls(_OUTCOMES[found[0].severity] if found else Outcome.MET, found)

    @classmethod
    def untestable(
        cls, reason: str, because: Because = Because.LACKING, instead: str = "", remedy: str = ""
    ) -> Observation:
        """The observation that there is nothing to judge; `reason` names the missing part."""
        reason = shorten(reason, LONGEST_REASON)
        return cls(Outcome.UNTESTABLE, reason=reason, because=because, instead=instead, remedy=remedy)

    @classmethod
    def unmet(cls, unmet: Unmet) -> Observation:
        """Return the observation that a prerequisite was not met."""
        because = Because.RACE_LOST if unmet.race_lost else Because.LACKING
        return cls.untestable(unmet.reason, because, remedy=unmet.remedy)


# The judgment of one exchange by a judge of histories: its findings, and the rules that it applied.


class Judgement(Struct):
    """The findings on one exchange; `judged` counts, by rule, how often a rule was really looked at."""

    findings: list[Finding] = field(default_factory=list)
    judged: Counter[str] = field(default_factory=Counter)

    def decide(self, rule: str, findings: Iterable[Finding] = ()) -> bool:
        """Count the rule as judged and add what is wrong; return whether anything is.

        A finding without a rule gets this one.
        """
        added = [*findings]
        self.judged[rule] += 1
        if not added:  # as nearly always
            return False
        self.findings += [finding if finding.rule else replace(finding, rule=rule) for finding in added]
        return True

    def add(self, other: Judgement) -> None:
        """Add the results of another one to this one."""
        self.findings += other.findings
        self.judged.update(other.judged)
