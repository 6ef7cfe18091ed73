"""A finished run and each of its results as every format presents them: what is shown, in which order and words.

Everything that a format might choose is chosen here, and only here is it put into words: a format writes these
values. `PresentedRun` has the words of `harness check`; those of the other commands are its subclasses in
`report/commands/`. A format must not know which command it is. Failures are put together by their cause, because
a reader mends causes, not cases.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self, TypeVar

from msgspec import Struct, structs

from harness.engine.events import Evidence, PhaseFinished, Planned, RecordedPlace, Result
from harness.outcome import (
    FIRST_WORDS,
    RANK,
    Accounted,
    Basis,
    Exit,
    Finding,
    Level,
    Observation,
    Outcome,
    Reason,
    Rule,
    Severity,
    Verdict,
    Where,
)
from harness.outcome.words import format_count, list_some, shorten
from harness.report.collected_run import (
    Accounting,
    CollectedRun,
    CountedResult,
    LeftOut,
    RunVerdict,
    account_for,
    conclude_checks,
    detail_lines,
    list_not_fulfilled,
    list_other_failures,
    remedy_of,
    to_sentence,
    write_not_fulfilled,
)
from harness.report.evidence.evidence_text import (
    Detail,
    Log,
    LogPart,
    again_lines,
    logs,
    place_line,
    shown_lines,
    split_body,
)
from harness.report.finding_text import ExplainedFailure, SharedFixes, finding_lines, place, summarize
from harness.report.screen import Line, Paint, Role, leave_unpainted
from harness.report.story import EventList, Story, event_lines, list_events, number_in_whole, tell_story
from harness.wire import Exchange
from harness.wire.message import escape_controls

if TYPE_CHECKING:
    from harness.report.page.matrix import OutcomeMatrix


EXPLAINED = frozenset({Verdict.FAIL, Verdict.ERROR})
"""Verdicts that a terminal explains at once; the others are one line each, or explained with -v."""

ERRED = "note: a harness error is a defect of the harness; report it with its traceback"
ERRED_OUTSIDE = (
    "note: a harness error of the extension {} is a defect of its module; correct it where its traceback points"
)


class FoldedLines(Struct, frozen=True):
    """Lines that a page shows when a reader opens them, below one that sums them up."""

    summary: str
    lines: tuple[str, ...]


class Section(Struct, frozen=True):
    """A part of a page beside the results: a strip, a table of engines, what was left out.

    `drawn`: a page has it as a table or as warnings already; other formats have these lines.
    """

    title: str
    lines: tuple[str, ...] = ()
    folded: tuple[FoldedLines, ...] = ()
    drawn: bool = False


def describe_stale(result: Result) -> str:
    """Why a baseline's entry excuses nothing any more."""
    if result.observation.outcome is Outcome.EXCLUDED:
        return f"{result.observation.reason}; remove its entry from the baseline"
    now = "now only warns" if result.observation.findings else "no longer occurs"
    return f"the baseline excuses a failure that {now}; remove its entry (--baseline-update)"


WIRE_SHOWN = 8_192
"""Most characters of a body that a page has; the JSON report is named for the rest."""

_MOST_FINDINGS = {Detail.BRIEF: 1, Detail.FULL: 5, Detail.WHOLE: 5}
"""Most findings that are shown: many are often one defect at many places."""

_TEXT = 2_000
_LONG_WORD = re.compile(r"[\w=-]{25,}")
"""An id, mostly: a title only needs its beginning."""

_SEVERITIES = {Severity.BROKEN: 0, Severity.NON_STRICT: 1, Severity.INFORMATION: 2}


_T = TypeVar("_T")


class Standing(StrEnum):
    """The word of a CI system for a result."""

    PASSED = "passed"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


def decide_standing(result: Result, outcome: Accounted) -> tuple[Standing, str]:
    """The word of JUnit, and the level of an annotation, `""` for none.

    A MUST check without a response is an error in JUnit, since a run with it does not pass, and breaks no rule.
    """
    if outcome is Accounted.FAILED:
        return Standing.FAILURE, "error"
    if result.reason is Reason.HARNESS_ERROR:
        return Standing.ERROR, "error"
    if result.unjudged:
        return Standing.ERROR, ""
    if outcome is Accounted.WARNED and result.verdict is not Verdict.XFAIL:
        return Standing.PASSED, "warning"
    return (Standing.PASSED if outcome is Accounted.PASSED else Standing.SKIPPED), ""


class Excerpt(tuple[_T, ...]):
    """The first of a `number` of things on a page; `more` describes the rest, `""` if there is none."""

    number: int
    more: str

    @classmethod
    def of(cls, first: Iterable[_T], number: int, noun: str) -> Self:
        """The first ones of this number; `noun` names the others."""
        shown = cls(first)
        shown.number = number
        left = number - len(shown)
        shown.more = f"{format_count(left, noun)}: the JSON report has all" if left else ""
        return shown


class PresentedResult:
    """One result, ready to be written: findings in their order, evidence chosen.

    Most formats write only some of it, so that each part is made on first access.
    """

    def __init__(self, result: Result, run: PresentedRun) -> None:
        self.result = result
        self._run = run
        self.id = result.id
        call = result.reproduction.call if result.reproduction is not None else ""
        self._fact = (result.is_unmet_option and result.rule.broken) or result.title
        self.title = f"{call}: {self._fact}" if call and call not in self._fact else self._fact
        self.row_title = run.describe(result) or self.title
        self.suite, self.case = run.suite(result), run.case(result)
        self.level = result.rule.level
        self.counted = CountedResult.of(result)
        self.outcome = self.counted.outcome
        self.standing, self.annotation = decide_standing(result, self.outcome)
        self.source = str(result.rule.source)
        self.url = result.rule.source.url

    # in one line

    @property
    def word(self) -> str:
        """The outcome, or the reason why it was not tested."""
        return self.result.reason_words or self.outcome.word

    @property
    def heading(self) -> str:
        """The id, the level and the title."""
        error = " (harness error)" if self.result.verdict is Verdict.ERROR else ""
        return f"{self.result.id} [{self.standing_level}] {self._fact}{error}"

    @property
    def standing_level(self) -> str:
        """The level, and for a warning that even `--strict` does not fail, why."""
        if self.is_lenient:
            return f"{self.level}, met in a lenient reading"
        return f"{self.level}, only inferred" if self._is_inferred else str(self.level)

    @property
    def is_lenient(self) -> bool:
        """Whether it warns although its rule counts as met."""
        observation = self.result.observation
        return self.result.verdict is Verdict.WARN and observation.outcome is Outcome.NON_STRICT

    @property
    def _is_inferred(self) -> bool:
        broken = self.result.observation.outcome is Outcome.NOT_MET
        return self.result.verdict is Verdict.WARN and broken and self.result.rule.source.basis is Basis.INFERRED

    @property
    def breaks(self) -> str:
        """The effect of the broken rule on users; `""` if the rule counts as met."""
        lenient = self.result.observation.outcome is Outcome.NON_STRICT
        unjudged = self.result.verdict is Verdict.FAIL and self.result.untested
        return "" if lenient or unjudged else self.result.rule.breaks

    @property
    def meaning(self) -> str:
        """Why the run does not fail for a warning, even with `--strict`; `""` if it can."""
        if self.is_lenient:
            return "the rule counts as met, so this only warns; a client that relies on the rule can fail"
        inferred = "`--strict` does not fail the run either, because the source is only inferred"
        return inferred if self._is_inferred else ""

    @cached_property
    def defect(self) -> str:
        """The defect in one line: the worst finding, else the reason; long ids are cut."""
        observation = self.result.observation
        if self.result.verdict is Verdict.STALE:
            return describe_stale(self.result)
        if observation.findings:
            worst = self.all_findings[0]
            text = summarize(worst.message, worst.where.pointer)
        else:
            text = observation.reason.strip().rpartition("\n")[2] or self.title
        plain = " ".join(escape_controls(text).split())
        return shorten(_LONG_WORD.sub(lambda word: f"{word[0][:10]}…", plain), 160)

    @property
    def failure(self) -> str:
        """The broken rule, if one is, and the finding."""
        rule, word = self.result.rule, self.result.explained_by.partition("/")[2]
        known = dict(rule.broken_as).get(word, rule.broken)
        broken = known if self.result.observation.outcome is Outcome.NOT_MET else ""
        return f"{broken}: {self.defect}" if broken and broken not in self.defect else self.defect

    @property
    def why(self) -> str:
        """The defect in one line, or the reason in the baseline."""
        return self.result.excuse or self.defect

    @property
    def note(self) -> str:
        """The note of a list beside its title: the reason, and the defect; `""` if it passed."""
        defect = "" if self.result.verdict is Verdict.PASS else self.defect
        title = self.title
        return ": ".join(part for part in (self.result.reason_words, "" if defect == title else defect) if part)

    @property
    def is_silent(self) -> bool:
        """Whether it is a failure that a client cannot notice."""
        return self.result.rule.silent and self.result.is_broken

    @property
    def is_open(self) -> bool:
        """Whether its explanation is to be seen at once."""
        return self.result.verdict in (Verdict.FAIL, Verdict.ERROR)

    @property
    def requirement(self) -> str:
        """The statement of the rule, unless it equals the title."""
        return "" if self.result.rule.is_stated_by(self.result.title) else self.result.rule.statement

    @property
    def file(self) -> str:
        """The recording that shows it first; `""` if none does."""
        found = next((item for item in self.result.evidence if isinstance(item, RecordedPlace)), None)
        return "" if found is None else found.where.file

    # for a CI system

    @property
    def kind(self) -> str:
        """The result in a word, with the reason why it was skipped."""
        kind = self._run.kind(self.result)
        if self.result.reason is not None:
            return f"{kind}: {self.result.reason_words}"
        return f"{kind}: in the baseline" if self.result.verdict is Verdict.XFAIL else kind

    @property
    def message(self) -> str:
        """The text in a list of failures, which is not cut."""
        observation = self.result.observation
        worst = self.all_findings[:1]
        plain = worst[0].message if worst else observation.reason.strip().rpartition("\n")[2]
        if self._run.stopped is not None and self.result.unjudged:
            plain += f": {self._run.stopped.reason}"
        return self.result.excuse or plain

    @property
    def is_explained(self) -> bool:
        """Whether a CI system gets the explanation, too."""
        noted = self.standing is Standing.PASSED and self.result.verdict is not Verdict.PASS
        return noted or self.standing in (Standing.FAILURE, Standing.ERROR)

    def explain(self, fixes: SharedFixes | None = None) -> str:
        """Everything a person needs to understand the verdict and to reproduce it, as plain text without color."""
        return "\n".join(self.list_lines(Detail.FULL, fixes))

    def list_lines(self, detail: Detail, fixes: SharedFixes | None = None) -> Iterator[Line]:
        """The explanation as lines with their roles; `fixes` are the known fixes that stand above it.

        The rule comes first, then what came, what breaks for a client, the evidence, and the source.
        """
        for line in self._list_lines(detail, fixes):
            first, *others = line.split("\n")  # a stranger's text begins no line
            yield line.having(first) if isinstance(line, Line) else Line(first)
            yield from (Line(f"  {other}") for other in others)

    def _list_lines(self, detail: Detail, fixes: SharedFixes | None) -> Iterator[str]:
        result, observation, brief = self.result, self.result.observation, detail is Detail.BRIEF
        if observation.cause:
            word = "blocked by" if observation.outcome is Outcome.BLOCKED else "a consequence of"
            yield f"{word} {observation.cause}, which has its own explanation"
        if self.requirement:
            yield f"requirement ({self.level}): {self.requirement}"
        findings = [number_in_whole(found, result, self._run.display) for found in self.all_findings]
        most = _MOST_FINDINGS[detail]
        first = [finding for finding in findings if not finding.cause] or findings
        for finding in first[:most]:
            headline, *details = finding_lines(finding, fixes, brief=brief)
            yield f"finding: {headline}" + (f"; a consequence of {finding.cause}" if finding.cause else "")
            yield from details
        if len(first) > most:
            hint = " (-v prints more)" if brief else ""
            yield Line(f"… and {format_count(len(first) - most, 'more finding')}{hint}", Role.QUIET)
        for finding in (finding for finding in findings if finding not in first and not brief):
            yield f"finding: {next(finding_lines(finding))}; a consequence of {finding.cause}"
        if observation.reason:
            yield escape_controls(observation.reason).rstrip()
        if self.breaks:
            yield f"what breaks: {self.breaks}"
        if self.meaning:
            yield f"what it means: {self.meaning}"
        if observation.outcome in (Outcome.NOT_MET, Outcome.NON_STRICT) and result.accepts and not brief:
            yield f"accepted: {'; or '.join(result.accepts)}"
        if result.excuse:
            yield f"baseline: {result.excuse}"
        if result.evidence and not observation.cause:
            yield from self._list_evidence(detail)
        if result.reproduction is not None:
            yield from again_lines(result.reproduction, noun=self._run.noun)
        yield Line(f"source: {self.source}{f' {self.url}' if self.url else ''}", Role.QUIET)

    def _list_evidence(self, detail: Detail) -> Iterator[str]:
        result = self.result
        named = [finding.where.exchange for finding in self.all_findings if finding.where.exchange]
        of_name = dict(reversed([*zip(result.named, result.evidence, strict=False)]))  # of several, the first one
        yield from shown_lines(
            result.evidence,
            self._run.display,
            named=bool(named),
            accused=of_name.get(named[0]) if named else None,
            detail=detail,
            events=[] if detail is Detail.WHOLE else list(event_lines(self.events)),
            places=self._places,
            elsewhere=self._run.elsewhere,
        )

    @cached_property
    def all_findings(self) -> list[Finding]:
        """Its findings, those first that do the most harm; what another one caused comes last.

        A known fix that several share stands at the first of them.
        """
        rules, cures = self._run.api.load_rules(), set[str]()

        def urgency(finding: Finding) -> tuple[bool, int, int, bool, int]:
            rule = rules.get(finding.rule, self.result.rule)
            severity = _SEVERITIES[finding.severity]
            return bool(finding.cause), severity, -RANK[rule.level], not rule.silent, rule.harm

        found, actor = sorted(self.result.observation.findings, key=urgency), self._run.actor
        for number, finding in enumerate(found):
            if actor or finding.cure:
                cure = "" if finding.cure in cures else finding.cure
                found[number] = structs.replace(finding, message=actor + finding.message, cure=cure)
                cures.add(cure)
        return found

    # in full, as a page has it

    @cached_property
    def findings(self) -> Excerpt[Finding]:
        clean = (
            structs.replace(
                number_in_whole(finding, self.result, self._run.display),
                message=_clean(finding.message),
                expected=_clean(finding.expected),
                actual=_clean(finding.actual),
            )
            for finding in self.all_findings[: _MOST_FINDINGS[Detail.FULL]]
        )
        return Excerpt.of([*clean], len(self.all_findings), "more finding")

    def place_of(self, finding: Finding) -> str:
        return _clean(place(finding.where))

    @property
    def reason(self) -> str:
        """Why it has no finding, or what is to be added to it; a long traceback keeps its end, the error."""
        text = escape_controls(self.result.observation.reason).strip()
        if len(text) <= _TEXT:
            return text
        head, tail = text[: _TEXT // 4], text[-_TEXT * 3 // 4 :]
        return "\n".join((head.rpartition("\n")[0] or head, "…", tail.partition("\n")[2] or tail))

    @cached_property
    def story(self) -> Story | None:
        return tell_story(self.result, self._run.display)

    @cached_property
    def events(self) -> EventList | None:
        return list_events(self._streamed, self._run.display, total=self._run.whole_stream)

    @property
    def _streamed(self) -> Result:
        """The result as its first recorded stream shows it, if it is of recordings."""
        for item, finding in zip(self.result.evidence, self.result.observation.findings, strict=False):
            if isinstance(item, RecordedPlace) and item.streams:
                named, streams = zip(*item.streams, strict=True)
                return structs.replace(
                    self.result, evidence=streams, named=named, observation=Observation.of([finding])
                )
        return self.result

    @cached_property
    def _all_logs(self) -> list[Log]:
        others = [item for item in self.result.evidence if not isinstance(item, RecordedPlace)]
        found = logs(others, self._run.display, shown=WIRE_SHOWN)
        return [structs.replace(log, parts=self._split(item)) for log, item in zip(found, others, strict=True)]

    @cached_property
    def _places(self) -> dict[int, Where]:
        """The place that the first finding about each piece of evidence names in it, by its identity."""
        result, places = self.result, dict[int, Where]()
        for finding in self.all_findings:
            where = finding.where
            pairs = zip(result.named, result.evidence, strict=False)
            named = [each for name, each in pairs if name == where.exchange]
            is_sole = len(result.evidence) == 1  # whatever it is called
            for each in named if where.exchange and not is_sole else result.evidence[-1:]:
                places.setdefault(id(each), where)
        return places

    def _split(self, item: Evidence) -> tuple[LogPart, ...]:
        """The bytes of an exchange, with the place that its first finding names."""
        where = self._places.get(id(item))
        if where is None or not isinstance(item, Exchange):
            return ()
        return split_body(item, self._run.display, where, shown=WIRE_SHOWN)

    @property
    def logs(self) -> Excerpt[Log]:
        """The bytes of each piece of evidence."""
        return Excerpt.of(self._all_logs[:12], len(self._all_logs), "more exchange")

    @property
    def script(self) -> str:
        """The command for this alone, else the requests as commands, to be copied at once."""
        if self.result.reproduction is not None and self.result.reproduction.command:
            return escape_controls(self.result.reproduction.command)
        return "\n\n".join([log.command for log in self._all_logs if log.command][:12])

    @property
    def places(self) -> Excerpt[str]:
        """Where in recordings it was found."""
        found = [item for item in self.result.evidence if isinstance(item, RecordedPlace)]
        return Excerpt.of([place_line(item) for item in found[:40]], len(found), "more place")

    @property
    def notes(self) -> Iterator[str]:
        """How to see it again."""
        if (reproduction := self.result.reproduction) is not None:
            yield from again_lines(structs.replace(reproduction, command=""), noun=self._run.noun)


def _clean(text: str) -> str:
    return shorten(escape_controls(text).strip(), _TEXT)


FAILING = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.STALE})
"""Verdicts that a reader has to do something about."""


class Cause(Struct, frozen=True, kw_only=True):
    """The cause of several failures: a reader mends causes, not cases.

    `key` is the code of the finding, `title` the broken rule in words, `results` its failures, consequences
    last. `affected` are the checks that it blocked, and those that only warn of the same defect. `weight`
    counts the responses that show it.
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
        first = [shown for shown in alike if not shown.result.is_consequence] or alike
        title = problem = first[0].defect
        if first[0].result.untested:  # a rule that `--strict` fails without a test may be met
            title = f"not tested: {first[0].title}"
        elif first[0].result.is_broken and (what := broken[key]):
            kind = key.partition("/")[2].replace("-", " ")
            alone = several[what] == 1
            title = what if alone else f"{what} ({kind})" if kind else f"{what}: {problem}"
        cause = Cause(
            key=key,
            title=title,
            results=(*first, *(shown for shown in alike if shown not in first)),
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


@dataclass(slots=True)
class PresentedRun(CollectedRun):
    """A collected run as every format presents it, in the words of the command that made it.

    `title` heads a page, `badge` labels a badge; in both, `{api}` is the title of the API. `noun` is what one
    result is, `command` the command that made it. `unaware`: who does not notice a silent breach. `actor`: the
    subject of findings that are phrases without one. `live`: a terminal shows target, plan and results as they
    come; otherwise `closing` shows the results. `settings` are those of a configuration file that leave
    something out, as text, by key. `judges_server`: its first line names the server, after `target_word`; the
    lines of a client or a recording have no room for a rule, so a next step names the command that explains it.
    `times_exercises`: it lists the waits of exercises. `begins` is its first wait. `repeat` writes the line that
    runs it again for some results. `elsewhere` names what has the exchanges that an explanation leaves out.
    """

    title = "{api}"
    badge = "{api}"
    command = "check"
    noun = "check"
    unaware = "a client"
    actor = ""
    live = True
    judges_server = True
    target_word = "target"
    begins = "asking the target which capabilities it has"
    elsewhere: str = field(default="the JSON and HTML reports have all", kw_only=True)
    times_exercises: bool = field(default=False, kw_only=True)
    repeat: Callable[..., str] | None = field(default=None, kw_only=True)
    settings: Mapping[str, str] = field(default_factory=dict, kw_only=True)
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
        """All results by verdict and level, silent breaches first, then by harm and weight."""
        return self.once("urgency", lambda: sorted(self.presented, key=lambda shown: shown.result.urgency))

    @property
    def subject(self) -> str:
        """The heading of a page."""
        return self.title.format(api=self.api.title)

    @property
    def place(self) -> str:
        target, _ = self.whole()
        return target.url or target.name

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The facts about the run below the heading of a page, as word and value."""
        revision = [("API revision", self.revision)] if self.revision else []
        return [*self.list_facts(), *revision]

    @property
    def score(self) -> str:
        """The sum of the run in a few words; what a run that judged nothing reached is no sum."""
        finished = self.whole()[1]
        if finished.exit in (Exit.NOTHING_RAN, Exit.INCOMPLETE):
            return FIRST_WORDS[finished.exit].lower()
        return self.count_score()

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
        silent = f" ({self.unaware} cannot detect it)" if causes and causes[0].silent else ""
        worst = f"Worst failure{silent}: {causes[0].title}." if causes else ""
        steps = [f"{to_sentence(line.partition(': ')[2])}." for line in self.next_steps()]
        return [line for line in (*self.halted_text.splitlines(), worst, *steps) if line]

    @property
    def verdict(self) -> RunVerdict:
        return self.once("verdict", self.conclude_run)

    @property
    def verdict_text(self) -> str:
        return escape_controls(str(self.verdict))

    @property
    def causes(self) -> list[Cause]:
        """The causes of all failures of a finished run, the worst first."""
        return list_causes(self.urgent_first, self.api.load_rules())

    def list_notes(self) -> Iterator[str]:
        """All lines between the totals and the verdict; a terminal has them with -v."""
        lines = [self.accounting.write_reasons(), *self.details()]
        if self.finished is not None and (mishaps := self.finished.mishaps):
            first, count = mishaps[0], format_count(len(mishaps), "response was", "responses were")
            lines.append(
                f"{count} a crash or cut once, and not again (the first: {self.api.format_request(first)}, "
                f"{first.status or first.ending.words}): no rule judges that"
            )
        for line in (*lines, *self.notes()):
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
            if not (number := counts.get(outcome, 0)):
                continue
            parts = [part for part in self.left_out() if part.outcome is outcome]
            left_out = [Group(reason=f"{part.number} {_show_reason(part.why)}") for part in parts]
            if outcome in JUDGED:
                levels = [(self.accounting.levels[level].get(outcome, 0), level) for level in Level]
                groups = [*(Group(reason=f"{count} {level}") for count, level in levels if count), *left_out]
                about = ", ".join(group.reason for group in groups)
            else:
                results = [result for result in self.results if result.outcome is outcome]
                groups = [*self._group_by_reason(results), *left_out]
                about = format_count(len(groups), "reason")
                if len(groups) == 1:
                    about = groups[0].reason.removeprefix(f"{number} ")
            yield OutcomeRow(number=number, words=outcome.word, about=about, outcome=outcome, groups=tuple(groups))
        if not_done := list(list_not_fulfilled(self.results)):
            yield OutcomeRow(
                number=len(not_done),
                words="accepted but not fulfilled",
                about="2xx without the effect",
                outcome=None,
                groups=tuple(Group(reason=write_not_fulfilled(code, blocked)) for code, blocked in not_done),
            )

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

    # in the words of a command

    @property
    def accounting(self) -> Accounting:
        """How many results have which outcome."""
        return self.once(
            "accounting", lambda: account_for([one.counted for one in self.presented], self.noun, self.left_out())
        )

    def write_totals(self, paint: Paint = leave_unpainted) -> str:
        """The line of totals of every format."""
        return self.accounting.write_totals(self.whole()[1].seconds, paint)

    def conclude_run(self) -> RunVerdict:
        """The last line of every format; `verdict` has it."""
        return conclude_checks(self.whole()[1], [one.counted for one in self.urgent_first], self.accounting)

    def details(self) -> Iterator[str]:
        """Facts that the numbers need: the MUST checks that were not tested, and why."""
        return detail_lines(self.results)

    def record(self) -> dict[str, Any] | None:
        """The whole run as the command's schema in `schemas/output` describes it; None for a run of checks."""
        return None

    def count_score(self) -> str:
        """How many MUST checks failed or passed, of how many: the message of a badge."""
        musts = self.accounting.musts
        total, failed = sum(musts.values()), musts.get(Accounted.FAILED, 0)
        if failed:
            return f"{failed} of {total} MUST failed"
        others = list_other_failures(one.counted for one in self.presented)
        return "; ".join((f"{musts.get(Accounted.PASSED, 0)} of {total} MUST passed", *others))

    def list_facts(self) -> list[tuple[str, str]]:
        """The facts about the target, as word and value; `facts` has those of the run, too."""
        target, _ = self.whole()
        words = {"API version": target.version, "model": target.model}
        return [(word, value) for word, value in words.items() if value]

    def sections(self) -> Iterator[Section]:
        """Parts of a page beside the results."""
        return iter(())

    def left_out(self) -> Iterator[LeftOut]:
        """Parts of the run without a result; they count in the totals."""
        return iter(())

    def matrices(self) -> Iterator[OutcomeMatrix]:
        """Tables of outcomes that a page shows."""
        return iter(())

    def describe(self, result: Result) -> str:
        """The words beside a result in a list of a page, if its title is only a name."""
        return ""

    def suite(self, result: Result) -> str:
        """The JUnit suite of a result."""
        return result.rule.area

    def case(self, result: Result) -> str:
        return f"{result.id}: {result.title}"

    def kind(self, result: Result) -> str:
        """The result in a word, as JUnit shows it."""
        return result.outcome.word

    # for a terminal

    def opening(self) -> Iterator[str]:
        """The first lines of a run."""
        if not self.judges_server:
            return
        target = self.target
        assert target is not None
        place = f"{target.url} (API version {target.version})" if target.url else "the embedded emulator"
        yield escape_controls(f"{self.target_word}: {place}, model {target.model}")

    def format_plan(self, planned: Planned) -> Iterator[str]:
        if self.live:
            total = format_count(planned.checks, self.noun)
            some = "" if planned.running in (None, planned.checks) else f"{planned.running} of "
            yield f"running {some}{total} ({format_count(planned.exercises, 'exercise')})"

    def progress(self, name: str, *, again: bool) -> str:
        """The exercise that runs now; `again`: it was begun earlier and comes to its end."""
        return name.replace("_", " ")

    def describe_phase(self, phase: PhaseFinished) -> Iterator[str]:
        return iter(())

    def format_result(self, result: Result, paint: Paint) -> str:
        """With -v, the line that a command that is not `live` prints as soon as a result is known; "" for none."""
        return ""

    def closing(self, paint: Paint, *, verbose: bool) -> Iterator[str]:
        """The lines above the failures and the totals."""
        return iter(())

    def explain_failures(self, paint: Paint, *, detail: Detail) -> Iterator[ExplainedFailure]:
        """The failures that a command that is not `live` explains at the end of its output."""
        return iter(())

    def reasons(self) -> Iterator[str]:
        """The lines below the totals of a terminal: why not everything was tested. With -v it has all the notes.

        A run that is incomplete has the first MUST check that was not tested, and what to do about it.
        """
        if line := self.accounting.write_reasons(hint=True):
            yield line
        unmet = [one.id for one in self.results if one.is_unmet_option]
        if unmet and any(one.outcome in (Accounted.FAILED, Accounted.WARNED) for one in self.results):
            rules = format_count(len(unmet), "MAY rule is", "MAY rules are")
            yield f"note: {rules} not met, which is allowed: {list_some(unmet, 3)} (-v gives details)."
        if self.whole()[1].exit is Exit.INCOMPLETE:
            yield from islice(self.details(), 2)

    def notes(self) -> Iterator[str]:
        """Notes on checks without a response, and the next steps."""
        silent = [result for result in self.whole()[1].unjudged if result.reason is Reason.NO_RESPONSE]
        if silent:
            causes = Counter(result.observation.instead for result in silent)
            listed = ", ".join(f"{cause}: {number}" for cause, number in causes.most_common())
            yield f"no response: {format_count(len(silent), self.noun)} ({listed})"
        yield from self.next_steps()

    def next_steps(self) -> Iterator[str]:
        """The next steps of a reader that no result names; a page has these lines below its headline."""
        if any(result.observation.instead in ("429", "503") for result in self.whole()[1].unjudged):
            yield "help: `--rate N` sends at most N requests a second, `--max-wait S` waits longer"
        if self.whole()[1].exit is Exit.HARNESS_ERROR:
            erred = [result for result in self.results if result.reason is Reason.HARNESS_ERROR]
            owners = {result.rule.area for result in erred} or {""}
            if ours := owners.difference(self.api.load_extensions()):
                yield ERRED
            yield from (ERRED_OUTSIDE.format(name) for name in sorted(owners - ours))
        left = [one for one in self.results if one.outcome is Accounted.EXCLUDED and one.observation.remedy]
        if left and self.whole()[1].exit is Exit.OK:
            named = list_some([one.id for one in left], 2)
            yield f"help: excluded: {left[0].title} ({named}); test it {left[0].observation.remedy}"
        broken = (result for result in self.results if result.outcome in (Accounted.FAILED, Accounted.WARNED))
        rules = dict.fromkeys(result.rule.id for result in broken if result.observation.findings)
        if rules and not self.judges_server:
            which = "the rule" if len(rules) == 1 else "each rule"
            yield f"help: `harness explain {' '.join([*rules][:3])}` prints {which} with its source"

    def run_again(self) -> str:
        """The command that prints all of the worst failure; `""` if there is none.

        It runs the check of that alone, unless this needs the exercises of others to show it.
        """
        failed = [result for result in self.results if result.outcome is Accounted.FAILED and result.evidence]
        if not (self.repeat and failed):
            return ""
        worst = min(failed, key=attrgetter("urgency"))
        return self.repeat(*(() if worst.shown_by else ("-c", worst.id)), "-v")


def _show_reason(text: str) -> str:
    return shorten(" ".join(escape_controls(text).split()), 140)
