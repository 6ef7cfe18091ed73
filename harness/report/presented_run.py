"""A finished run as every format presents it: what is shown of it, in which order and words, and by which cause.

Everything that a format might choose is chosen here: a format writes these values. The words are those of the
command that made the run (its `Presentation`); a format must not know which command it is. Failures are put
together by their cause, because a reader mends causes, not cases.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from harness.engine.results import Result
from harness.outcome import FIRST_WORDS, Accounted, Exit, Level, Reason, Rule, Verdict
from harness.outcome.words import format_count, shorten
from harness.report.collected_run import (
    Accounting,
    CollectedRun,
    RunVerdict,
    list_not_fulfilled,
    remedy_of,
    to_sentence,
    write_not_fulfilled,
)
from harness.report.presented_result import Presentation, PresentedResult
from harness.report.screen import Paint, leave_unpainted
from harness.wire.message import escape_controls

FAILING = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.STALE})
"""Verdicts that a reader has to do something about."""


class Cause(Struct, frozen=True, kw_only=True):
    """The cause of several failures: a reader mends causes, not cases.

    `key` is the code of the finding, `title` the broken rule in words, `results` its failures, the root first.
    `affected` are the results that were not judged because of it, or warn of the same. `weight` counts the
    responses that show it.
    """

    key: str
    title: str
    results: tuple[PresentedResult, ...]
    affected: tuple[PresentedResult, ...]
    weight: int

    @property
    def problem(self) -> str:
        """The finding, in one line: of the rule that is the cause, if that was judged."""
        rule, shown = self.key.partition("/")[0], (*self.results, *self.affected)
        return next((one for one in shown if one.result.rule.id == rule), shown[0]).defect

    @property
    def silent(self) -> bool:
        """Whether a client cannot notice it."""
        return self.results[0].is_silent

    @property
    def urgency(self) -> tuple[int, ...]:
        """The sort key of causes: their worst failure, then how many responses show them."""
        return (*self.results[0].result.urgency[:-1], -self.weight)

    @property
    def is_stale(self) -> bool:
        """Whether it is an entry of the baseline that excuses nothing any more."""
        return all(shown.result.verdict is Verdict.STALE for shown in self.results)

    @property
    def counts(self) -> str:
        """How many rules of each level are broken, and in how many cases if a rule is broken in several."""
        if self.is_stale:
            return "stale entry"
        if all(shown.result.verdict is Verdict.ERROR for shown in self.results):
            return f"{len(self.results)} not tested (harness error)"
        rules = {shown.result.rule.id: shown.level for shown in self.results}
        numbers = [(list(rules.values()).count(level), level) for level in Level]
        parts = [format_count(number, f"{level} rule") for number, level in numbers if number]
        cases = f" in {len(self.results)} cases" if len(self.results) > len(rules) else ""
        fate = "not tested (--strict)" if all(shown.result.untested for shown in self.results) else "broken"
        return f"{' and '.join(parts)} {fate}{cases}"

    def record(self) -> dict[str, Any]:
        """The cause as plain data; results by their ids."""
        return {
            "key": self.key,
            "title": self.title,
            "silent": self.silent,
            "results": [shown.id for shown in self.results],
            "affected": [shown.id for shown in self.affected],
            "weight": self.weight,
        }


def list_causes(results: Iterable[PresentedResult], rules: Mapping[str, Rule]) -> list[Cause]:
    """The causes of all failures, the worst first; `results` come by their urgency."""
    failing: dict[str, list[PresentedResult]] = defaultdict(list)
    errors: dict[str, str] = {}  # one harness error is one cause, however many results it prevents
    affected: dict[str, list[PresentedResult]] = defaultdict(list)
    for shown in results:
        result = shown.result
        if result.verdict in FAILING:
            erred = result.verdict is Verdict.ERROR
            key = errors.setdefault(shown.defect, result.explained_by) if erred else result.explained_by
            failing[key].append(shown)
        elif result.reason is Reason.BLOCKED or result.verdict is Verdict.WARN:
            affected[result.explained_by].append(shown)
    broken = {}
    for key, one in failing.items():
        name, _, word = key.partition("/")
        rule = rules.get(name, one[0].result.rule)
        broken[key] = dict(rule.broken_as).get(word, rule.broken)
    several = Counter(broken.values())  # one rule, broken in different ways
    causes = []
    for key, alike in failing.items():
        # Those come first that are no consequence of another one.
        roots = [shown for shown in alike if not shown.result.is_consequence] or alike
        title = problem = roots[0].defect
        if roots[0].result.untested:  # a rule that `--strict` fails without a test may be met
            title = f"not tested: {roots[0].title}"
        elif roots[0].result.is_broken and (what := broken[key]):
            kind = key.partition("/")[2].replace("-", " ")
            alone = several[what] == 1
            title = what if alone else f"{what} ({kind})" if kind else f"{what}: {problem}"
        cause = Cause(
            key=key,
            title=title,
            results=(*roots, *(shown for shown in alike if shown not in roots)),
            affected=tuple(affected[key]),
            weight=sum(shown.result.weight for shown in alike),
        )
        causes.append(cause)
    return sorted(causes, key=lambda cause: cause.urgency)


JUDGED = (Accounted.FAILED, Accounted.WARNED, Accounted.PASSED)
"""The outcomes of checks whose rule was compared with a response."""

LISTED = tuple(outcome for outcome in Accounted if outcome is not Accounted.EXCLUDED)
"""The outcomes whose results are listed: what the options left out is counted, and the JSON report names it."""

TOLD = (Accounted.FAILED, Accounted.WARNED, Accounted.NOT_TESTED)
"""The outcomes that are explained where the others are only counted."""

_MOST_IDS = 60


class Group(Struct, frozen=True, kw_only=True):
    """Results with one outcome for one reason."""

    ids: tuple[str, ...] = ()
    more: int = 0
    reason: str
    remedy: str = ""


class OutcomeRow(Struct, frozen=True, kw_only=True):
    """One row: its number and words; `outcome` is None if its number is counted in another row, too."""

    number: int
    words: str
    about: str
    outcome: Accounted | None
    groups: tuple[Group, ...] = ()


class Area(Struct, frozen=True, kw_only=True):
    """A part of the results; open if a reader needs it. `title` is "" if `name` is enough."""

    name: str
    title: str
    counts: Mapping[Accounted, int]
    rows: list[PresentedResult]
    is_open: bool

    @property
    def failed(self) -> int:
        """How many of its results failed."""
        return self.counts.get(Accounted.FAILED, 0)

    @property
    def passed(self) -> int:
        """How many of its results passed."""
        return self.counts.get(Accounted.PASSED, 0)


@dataclass(slots=True)
class PresentedRun(CollectedRun):
    """A collected run as every format presents it, in the words of the command that made it."""

    presentation: Presentation = field(default_factory=Presentation, kw_only=True)
    _presented: dict[int, PresentedResult] = field(default_factory=dict, init=False, repr=False)

    def present(self, result: Result) -> PresentedResult:
        """A result as it is shown, always the same value."""
        found = self._presented.get(id(result))
        if found is None:
            found = self._presented[id(result)] = PresentedResult(result, self, self.presentation)
        return found

    @property
    def presented(self) -> list[PresentedResult]:
        """All results, in the order of the catalog."""
        return [self.present(result) for result in self.results]

    @property
    def urgent_first(self) -> list[PresentedResult]:
        """All results by verdict and level, silent breaches first, then by harm and weight."""
        return sorted(self.presented, key=lambda shown: shown.result.urgency)

    @property
    def subject(self) -> str:
        """The heading of a page."""
        return self.presentation.subject.format(api=self.api.title)

    @property
    def place(self) -> str:
        """Where the target is."""
        target, _ = self.whole()
        return target.url or target.name

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The facts about the run below the heading of a page, as word and value."""
        revision = [("API revision", self.revision)] if self.revision else []
        return [*self.presentation.facts(self), *revision]

    @property
    def score(self) -> str:
        """The sum of the run in a few words; what a run that judged nothing reached is no sum."""
        finished = self.whole()[1]
        if finished.exit in (Exit.NOTHING_RAN, Exit.INCOMPLETE):
            return FIRST_WORDS[finished.exit].lower()
        return self.presentation.score(self)

    @property
    def is_whole(self) -> bool:
        """Whether every MUST check passed: a run that passed may have some that were not tested."""
        musts = self.accounting.musts
        return musts.get(Accounted.PASSED, 0) == sum(musts.values())

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why the run could not judge: without them, passes would look complete."""
        holes = self.whole()[1].holes
        return (self.halted_text, *holes) if self.halted_text and not self.results else holes

    @property
    def lead(self) -> list[str]:
        """The first facts beside the headline: why it ended early, the worst cause, and the next steps."""
        causes = self.causes
        silent = f" ({self.presentation.unaware} cannot detect it)" if causes and causes[0].silent else ""
        worst = f"Worst failure{silent}: {causes[0].title}." if causes else ""
        steps = [f"{to_sentence(line.partition(': ')[2])}." for line in self.presentation.next_steps(self)]
        return [line for line in (*self.halted_text.splitlines(), worst, *steps) if line]

    @property
    def accounting(self) -> Accounting:
        """How many results have which outcome."""
        return self.presentation.accounting(self)

    @property
    def verdict(self) -> RunVerdict:
        """The last line."""
        return self.once("verdict", lambda: self.presentation.verdict(self))

    @property
    def verdict_text(self) -> str:
        """The last line as text."""
        return escape_controls(str(self.verdict))

    def write_totals(self, paint: Paint = leave_unpainted) -> str:
        """The line of totals."""
        return self.presentation.totals(self, paint)

    @property
    def causes(self) -> list[Cause]:
        """The causes of all failures of a finished run, the worst first."""
        return list_causes(self.urgent_first, self.api.load_rules())

    def list_notes(self) -> Iterator[str]:
        """All lines between the totals and the verdict; a terminal has them with -v."""
        lines = [self.accounting.write_reasons(), *self.presentation.details(self)]
        if self.finished is not None and (mishaps := self.finished.mishaps):
            first, count = mishaps[0], format_count(len(mishaps), "response was", "responses were")
            lines.append(
                f"{count} a crash or cut once, and not again (the first: {self.api.format_request(first)}, "
                f"{first.status or first.ending.words}): no rule judges that"
            )
        for line in (*lines, *self.presentation.notes(self)):
            if line:
                yield escape_controls(line)

    def list_areas(self) -> list[Area]:
        """The results that are listed, by their group, in the order of the catalog."""
        members: dict[str, list[PresentedResult]] = defaultdict(list)
        for shown in self.presented:
            if shown.outcome in LISTED:
                members[shown.suite].append(shown)
        titles = self.api.load_areas()
        urgent = (Accounted.FAILED, Accounted.WARNED)
        return [
            Area(
                name=name,
                title=titles.get(name, ""),
                counts=Counter(row.outcome for row in rows),
                rows=rows,
                is_open=len(members) == 1
                or any(row.outcome in urgent or row.result.verdict in FAILING for row in rows),
            )
            for name, rows in members.items()
        ]

    def list_outcomes(self) -> Iterator[OutcomeRow]:
        """The outcomes that occur, each with its reasons; those that are no part of others add up to the total."""
        counts = self.accounting.counts
        for outcome in Accounted:
            if number := counts.get(outcome, 0):
                yield self._describe_outcome(outcome, number)
        if not_done := list(list_not_fulfilled(self.results)):
            yield OutcomeRow(
                number=len(not_done),
                words="accepted but not fulfilled",
                about="2xx without the effect",
                outcome=None,
                groups=tuple(Group(reason=write_not_fulfilled(code, blocked)) for code, blocked in not_done),
            )

    def _describe_outcome(self, outcome: Accounted, number: int) -> OutcomeRow:
        left_out = [
            Group(reason=f"{item.number} {_show_reason(item.why)}")
            for item in self.presentation.left_out(self)
            if item.outcome is outcome
        ]
        if outcome in JUDGED:
            levels = [(self.accounting.levels[level].get(outcome, 0), level) for level in Level]
            groups = [*(Group(reason=f"{of_level} {level}") for of_level, level in levels if of_level), *left_out]
            about = ", ".join(group.reason for group in groups)
        else:
            results = [result for result in self.results if result.outcome is outcome]
            groups = [*self._group_by_reason(results), *left_out]
            about = format_count(len(groups), "reason")
            if len(groups) == 1:
                about = groups[0].reason.removeprefix(f"{number} ")
        return OutcomeRow(number=number, words=outcome.word, about=about, outcome=outcome, groups=tuple(groups))

    def _group_by_reason(self, results: Sequence[Result]) -> Iterator[Group]:
        alike: dict[tuple[str, str], list[str]] = defaultdict(list)
        for result in results:
            observation = result.observation
            why = observation.reason or result.excuse or observation.instead
            if result.reason is Reason.HARNESS_ERROR:  # the last line of a traceback has the error
                why = why.strip().rpartition("\n")[2]
            elif result.reason is Reason.BLOCKED:  # the finding that blocks it explains it
                why = ""
            details = ": ".join(filter(None, (result.reason_words, why)))
            helped = result.reason not in (None, Reason.BLOCKED, Reason.HARNESS_ERROR)
            alike[_show_reason(details), remedy_of(result) if helped else ""].append(result.id)
        for (reason, remedy), ids in sorted(alike.items(), key=lambda item: -len(item[1])):
            if results[0].outcome in LISTED:
                more = max(0, len(ids) - _MOST_IDS)
                yield Group(ids=tuple(ids[:_MOST_IDS]), more=more, reason=reason, remedy=_show_reason(remedy))
            else:
                yield Group(reason=f"{len(ids)} {reason}", remedy=_show_reason(remedy))


def _show_reason(text: str) -> str:
    return shorten(" ".join(escape_controls(text).split()), 140)
