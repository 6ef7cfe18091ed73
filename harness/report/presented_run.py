"""A finished run as every format presents it: what is shown of it, in which order, and in which words.

Layer 6. Everything that a format might choose is chosen here: a format writes these values. The words are those of
the command that made the run (its `Presentation`); a format must not know which command it is.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from harness.engine.results import RecordedPlace, Result
from harness.outcome import FIRST_WORDS, Accounted, Exit, Finding, Level, Outcome, Reason, Verdict
from harness.outcome.words import format_count, shorten
from harness.report.accounting import (
    Accounting,
    RunVerdict,
    list_not_fulfilled,
    remedy_of,
    write_not_fulfilled,
)
from harness.report.commands.presentation import CountedWord, Paint, Presentation
from harness.report.evidence.evidence_text import Log, logs, place_line
from harness.report.evidence.stream_events import EventList, list_events, number_in_whole
from harness.report.explanation import again_lines
from harness.report.finding_text import place
from harness.report.run_state import FAILING, Cause, RunState, describe, find_causes, order_findings
from harness.report.story import Story, tell_story
from harness.wire.message import escape_controls

JUDGED = (Accounted.FAILED, Accounted.WARNED, Accounted.PASSED)
"""The outcomes of checks whose rule was compared with a response."""

LISTED = tuple(outcome for outcome in Accounted if outcome is not Accounted.EXCLUDED)
"""The outcomes whose results are listed: what the options left out is counted, and the JSON report names it."""

TOLD = (Accounted.FAILED, Accounted.WARNED, Accounted.NOT_TESTED)
"""The outcomes that are explained where the others are only counted."""

MOST_DETAILED = 50
"""Failures that are shown with their evidence; the others are named, and the JSON report has theirs."""

WIRE_SHOWN = 8_192
"""Most characters of a body that a page has; the JSON report is named for the rest."""

_MOST_OF_A_CAUSE = 12
_MOST_FINDINGS = 5
_MOST_COMMANDS = 12
_MOST_LOGS = 12
_MOST_PLACES = 40
_MOST_IDS = 60
_TEXT = 2_000
_REASON = 140

_WORD = re.compile(r"[a-z]+[ ,]")


def to_sentence(text: str) -> str:
    """The text with a capital, unless it begins with a name that is spelled so."""
    return text[0].upper() + text[1:] if _WORD.match(text + " ") else text


class Standing(StrEnum):
    """What a CI system is told of a result."""

    PASSED = "passed"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


class PresentedResult:
    """One result, ready to be written: findings in their order, evidence chosen.

    Most formats write only some of it, so that each part is made when it is first asked for.
    """

    def __init__(self, result: Result, run: PresentedRun) -> None:
        self.result = result
        self._run = run
        self.id = result.id
        self.title = result.title
        self.level = result.rule.level
        self.outcome = result.outcome
        self.source = str(result.rule.source)
        self.url = result.rule.source.url
        self.breaks = result.rule.breaks
        self.statement = result.rule.statement

    # in one line

    @property
    def word(self) -> str:
        """The outcome, or the reason why it was not tested."""
        return self.result.reason_words or self.outcome.word

    @property
    def heading(self) -> str:
        """The id, the level and the title."""
        lenient = self.level is Level.MUST and self.result.observation.outcome is Outcome.NON_STRICT
        level = f"{self.level}, met in a lenient reading" if lenient else str(self.level)
        error = " (harness error)" if self.result.verdict is Verdict.ERROR else ""
        return f"{self.result.id} [{level}] {self.result.title}{error}"

    @cached_property
    def said(self) -> str:
        """What is wrong, in one line."""
        return describe(self.result, self._run)

    @property
    def why(self) -> str:
        """The same, or the reason in the baseline."""
        return self.result.excuse or self.said

    @property
    def note(self) -> str:
        """What a list says of it besides its title: the reason, and what is wrong; `""` if it passed."""
        said = "" if self.result.verdict is Verdict.PASS else self.said
        title = self.title
        return ": ".join(part for part in (self.result.reason_words, "" if said == title else said) if part)

    @property
    def is_silent(self) -> bool:
        """Whether it is a failure that a client cannot notice."""
        return self.result.rule.silent and self.result.verdict is Verdict.FAIL

    @property
    def is_open(self) -> bool:
        """Whether its explanation is to be seen at once."""
        return self.result.verdict in (Verdict.FAIL, Verdict.ERROR)

    @property
    def requirement(self) -> str:
        """The statement of the rule, unless the title says the same."""
        return "" if self.statement.rstrip(".") == self.title else self.statement

    @property
    def file(self) -> str:
        """The recording that shows it first; `""` if none does."""
        found = next((item for item in self.result.evidence if isinstance(item, RecordedPlace)), None)
        return "" if found is None else found.where.file

    # for a CI system

    @property
    def standing(self) -> Standing:
        """What JUnit calls it: a MUST check without a response is an error, and so is one of ours."""
        if self.outcome is Accounted.FAILED:
            return Standing.FAILURE
        if self.result.unjudged or self.result.reason is Reason.HARNESS_ERROR:
            return Standing.ERROR
        if self.result.verdict is Verdict.XFAIL or self.outcome not in (Accounted.WARNED, Accounted.PASSED):
            return Standing.SKIPPED
        return Standing.PASSED

    @property
    def annotation(self) -> str:
        """The level of its annotation; `""` if it has none."""
        if self.outcome is Accounted.FAILED or self.result.reason is Reason.HARNESS_ERROR:
            return "error"
        known = self.result.verdict is Verdict.XFAIL
        return "warning" if self.outcome is Accounted.WARNED and not known else ""

    @property
    def suite(self) -> str:
        """The group of results that it belongs to."""
        return self._run.presentation.suite(self.result)

    @property
    def case(self) -> str:
        """Its name in JUnit."""
        return self._run.presentation.case(self.result)

    @property
    def kind(self) -> str:
        """The result in a word, with the reason why it was skipped."""
        kind = self._run.presentation.kind(self.result)
        if self.result.reason is not None:
            return f"{kind}: {self.result.reason_words}"
        return f"{kind}: in the baseline" if self.result.verdict is Verdict.XFAIL else kind

    @property
    def message(self) -> str:
        """What a list of failures shows of it, which is not cut."""
        observation = self.result.observation
        findings = observation.findings
        plain = findings[0].message if findings else observation.reason.strip().rpartition("\n")[2]
        if self._run.stopped is not None and self.result.unjudged:
            plain += f": {self._run.stopped.reason}"
        return self.result.excuse or plain

    @property
    def is_explained(self) -> bool:
        """Whether a CI system gets the explanation, too."""
        told = self.standing is Standing.PASSED and self.result.verdict is not Verdict.PASS
        return told or self.standing in (Standing.FAILURE, Standing.ERROR)

    def explain(self, *, verbose: bool = False, whole: bool = False) -> str:
        """The block of text that explains it."""
        return self._run.presentation.explain(self.result, self._run, verbose=verbose, whole=whole)

    # in full, as a page has it

    @property
    def accepted(self) -> tuple[str, ...]:
        """What would have passed, in words."""
        return self.result.accepts

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """The worst of its findings."""
        chosen = order_findings(self.result, self._run)[:_MOST_FINDINGS]
        return tuple(
            replace(
                number_in_whole(finding, self.result, self._run.display),
                message=_clean(finding.message),
                expected=_clean(finding.expected),
                actual=_clean(finding.actual),
            )
            for finding in chosen
        )

    def place_of(self, finding: Finding) -> str:
        """Where a finding is."""
        return _clean(place(finding.where))

    @property
    def more_findings(self) -> str:
        """How many findings are left out."""
        return _say_more(len(self.result.observation.findings) - len(self.findings), "more finding")

    @property
    def reason(self) -> str:
        """Why it has no finding, or what is to be added to it."""
        return _clean(self.result.observation.reason)

    @cached_property
    def story(self) -> Story | None:
        """The exchanges as a sequence of steps."""
        return tell_story(self.result, self._run.display)

    @cached_property
    def events(self) -> EventList | None:
        """The stream that shows it."""
        return list_events(self.result, self._run.display)

    @cached_property
    def _all_logs(self) -> list[Log]:
        others = [item for item in self.result.evidence if not isinstance(item, RecordedPlace)]
        return logs(others, self._run.display, shown=WIRE_SHOWN)

    @property
    def logs(self) -> list[Log]:
        """The bytes of each piece of evidence."""
        return self._all_logs[:_MOST_LOGS]

    @property
    def more_logs(self) -> str:
        """How many pieces are left out."""
        return _say_more(len(self._all_logs) - _MOST_LOGS, "more exchange")

    @property
    def script(self) -> str:
        """The requests as commands, to be copied at once."""
        return "\n\n".join([log.command for log in self._all_logs if log.command][:_MOST_COMMANDS])

    @cached_property
    def _all_places(self) -> list[str]:
        found = (item for item in self.result.evidence if isinstance(item, RecordedPlace))
        return [place_line(item) for item in found]

    @property
    def places(self) -> list[str]:
        """Where in recordings it was found."""
        return self._all_places[:_MOST_PLACES]

    @property
    def more_places(self) -> str:
        """How many places are left out."""
        return _say_more(len(self._all_places) - _MOST_PLACES, "more place")

    @property
    def notes(self) -> Iterator[str]:
        """How to see it again."""
        reproduction, presentation = self.result.reproduction, self._run.presentation
        if reproduction is not None:
            yield from again_lines(reproduction, noun=presentation.noun)
        if self.script and presentation.command == "check":
            yield (
                f"`harness inspect REPORT.json --check {self.result.id}` opens these requests in the inspector "
                "(`--report json=REPORT.json` writes the file)"
            )


def _clean(text: str) -> str:
    return shorten(escape_controls(text).strip(), _TEXT)


def _say_more(number: int, noun: str) -> str:
    return f"{format_count(number, noun)}: the JSON report has all" if number > 0 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Results with one outcome for one reason."""

    ids: tuple[str, ...] = ()
    more: int = 0
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One row: its number and words; `outcome` is None if its number is counted in another row, too."""

    number: int
    words: str
    about: str
    outcome: Accounted | None
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A part of the results; open if there is something to see in it. `title` is "" if `name` says enough."""

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
class PresentedRun(RunState):
    """A run as every format presents it."""

    presentation: Presentation = field(default_factory=Presentation, kw_only=True)
    revision: str = field(default="", kw_only=True)
    """The revision of the API that the run was about; `""` if each recording names its own."""
    _presented: dict[int, PresentedResult] = field(default_factory=dict, init=False, repr=False)

    def present(self, result: Result) -> PresentedResult:
        """A result as it is shown, always the same value."""
        found = self._presented.get(id(result))
        if found is None:
            found = self._presented[id(result)] = PresentedResult(result, self)
        return found

    @property
    def presented(self) -> list[PresentedResult]:
        """All results, in the order of the catalog."""
        return [self.present(result) for result in self.results]

    @property
    def urgent_first(self) -> list[PresentedResult]:
        """The same, the most urgent first."""
        return [self.present(result) for result in self.most_urgent_first]

    @property
    def subject(self) -> str:
        """What heads a page."""
        return self.presentation.subject.format(api=self.api.title)

    @property
    def badge_label(self) -> str:
        """What labels a badge."""
        return self.presentation.badge.format(api=self.api.title.lower())

    @property
    def place(self) -> str:
        """Where the target is."""
        target, _ = self.whole()
        return target.url or target.name

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What a page says of the run below its heading, as word and value."""
        revision = [("API revision", self.revision)] if self.revision else []
        return [*self.presentation.facts(self), *revision]

    @property
    def noun(self) -> str:
        """What the tallies count, in the singular."""
        return self.presentation.counted or self.presentation.noun

    @property
    def tallies(self) -> list[CountedWord]:
        """What every format counts, with its words."""
        return list(self.presentation.tallies(self))

    @property
    def score(self) -> str:
        """The sum of the run in a few words; what a run that judged nothing reached is no sum."""
        finished = self.whole()[1]
        if finished.exit in (Exit.NOTHING_RAN, Exit.UNREACHABLE):
            return FIRST_WORDS[finished.exit].lower()
        return self.presentation.score(self)

    @property
    def is_whole(self) -> bool:
        """Whether every MUST check passed: a run that passed may have left some untested."""
        musts = self.accounting.musts
        return musts.get(Accounted.PASSED, 0) == sum(musts.values())

    @property
    def lead(self) -> list[str]:
        """What to know at once beside the headline: why it ended early, and the worst cause."""
        causes = self.causes
        silent = f" ({self.presentation.unaware} cannot detect it)" if causes and causes[0].silent else ""
        worst = f"Worst failure{silent}: {causes[0].title}." if causes else ""
        return [line for line in (self.halted_text, worst) if line]

    @property
    def accounting(self) -> Accounting:
        """How many results have which outcome."""
        return self.presentation.accounting(self)

    @property
    def verdict(self) -> RunVerdict:
        """The last line."""
        return self.presentation.verdict(self)

    @property
    def verdict_text(self) -> str:
        """The same as text."""
        return escape_controls(str(self.verdict))

    @property
    def totals(self) -> str:
        """The line of totals."""
        return self.write_totals(lambda _, text: text)

    def write_totals(self, paint: Paint) -> str:
        """The line of totals, in color."""
        return self.presentation.write_totals(self, paint)

    @property
    def causes(self) -> list[Cause]:
        """The causes of all failures, the worst first."""
        return find_causes(self)

    def list_notes(self, *, hint: bool = False) -> Iterator[str]:
        """The lines between the totals and the verdict; `hint` names the option -v."""
        lines = [self.accounting.write_reasons(hint=hint), *self.presentation.details(self)]
        for line in (*lines, *self.presentation.notes(self)):
            if line:
                yield escape_controls(line)

    @property
    def unheard(self) -> list[str]:
        """What kept the run from judging: reports of passes alone would look as if it had judged all."""
        early = [self.halted_text] if self.halted_text and not self.results else []
        return [*early, *self.whole()[1].holes]

    def choose_detailed(self, causes: Sequence[Cause]) -> frozenset[str]:
        """The failures that are shown with their evidence: of each cause some, the worst causes first."""
        chosen = [result.id for cause in causes for result in cause.results[:_MOST_OF_A_CAUSE]]
        roots = [cause.results[0].id for cause in causes]
        return frozenset(list(dict.fromkeys((*roots, *chosen)))[:MOST_DETAILED])

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
            about = groups[0].reason if len(groups) == 1 else format_count(len(groups), "reason")
        return OutcomeRow(number=number, words=outcome.word, about=about, outcome=outcome, groups=tuple(groups))

    def _group_by_reason(self, results: Sequence[Result]) -> Iterator[Group]:
        alike: dict[tuple[str, str], list[str]] = defaultdict(list)
        for result in results:
            said = ": ".join(filter(None, (result.reason_words, _find_details(result))))
            helped = result.reason not in (None, Reason.BLOCKED, Reason.HARNESS_ERROR)
            alike[_show_reason(said), remedy_of(result) if helped else ""].append(result.id)
        for (reason, remedy), ids in sorted(alike.items(), key=lambda item: -len(item[1])):
            if results[0].outcome in LISTED:
                more = max(0, len(ids) - _MOST_IDS)
                yield Group(ids=tuple(ids[:_MOST_IDS]), more=more, reason=reason, remedy=_show_reason(remedy))
            else:
                yield Group(reason=f"{len(ids)} {reason}", remedy=_show_reason(remedy))


def _find_details(result: Result) -> str:
    """What is known besides the reason why a result was not tested."""
    observation = result.observation
    details = observation.reason or result.excuse or observation.instead
    match result.reason:
        case Reason.HARNESS_ERROR:  # the last line of a traceback says what happened
            return details.strip().rpartition("\n")[2]
        case Reason.BLOCKED:  # the finding that blocks it explains it
            return ""
    return details


def _show_reason(text: str) -> str:
    return shorten(" ".join(escape_controls(text).split()), _REASON)
