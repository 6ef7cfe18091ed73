"""The HTML report: a run as one page that needs no network.

Layer 6. The verdict first, then what is broken by cause, then the whole catalogue.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.engine.results import RecordedPlace, Result
from harness.look.assets import Mark, mark_of
from harness.outcome import Accounted, Exit, Finding, Level, Reason, Verdict
from harness.outcome.words import format_count, shorten
from harness.report.accounting import list_not_fulfilled, remedy_of
from harness.report.causes import FAILING, Cause, describe, order_findings
from harness.report.commands.presentation import PresentedRun
from harness.report.evidence.evidence_text import Log, logs, place_line
from harness.report.evidence.stream_events import EventList, list_events, number_in_whole
from harness.report.explanation import replay_words, reproduction_lines
from harness.report.finding_text import place
from harness.report.page.rendering import FragmentNames, MarkedText, compare_texts, link_of, render_template
from harness.report.story import Story, tell_story

MOST_DETAILED = 50
"""Failures that are shown with their evidence; the others are named, and the JSON report has theirs."""

MOST_ROWS = 2_000
"""From so many results on, those that passed are data until their area opens."""

_FOLDED = 600
"""From so many results on, areas are closed at first."""

_MOST_OF_A_CAUSE = 12
_NAMED = 40

_MARKS = {
    Exit.OK: Mark("pass", "pass"),
    Exit.FAILED: Mark("fail", "fail"),
}
_VOID = Mark("void", "void")


def render(state: PresentedRun) -> str:
    """The report of a finished run as one page."""
    _, finished = state.whole()
    presentation = state.presentation
    names = FragmentNames()
    causes = state.causes
    shown = _choose_detailed(causes)
    detailed = frozenset(result.id for result in shown)
    areas = [_with_links(area) for area in list_areas(state, names, detailed)]
    listed = sum(len(area.rows) for area in areas)
    compact = listed >= MOST_ROWS
    tallies = state.tallies
    return render_template(
        "run",
        title=f"{state.subject}: {state.place}",
        command=presentation.command,
        headline=state.mask.text(state.verdict.sentence),
        lead=[line for line in (state.halted_text, state.lead) if line],
        state_word=state.verdict.word,
        state_mark=_mark_state(state),
        facts=[("Target", state.place), *((_to_sentence(word), value) for word, value in state.facts)],
        started=state.started,
        seconds=finished.seconds,
        exit=int(finished.exit),
        totals=state.totals,
        tallies=[_to_part(tally.word, tally.number, tally.outcome) for tally in tallies],
        outcomes=list(list_outcomes(state)),
        total=sum(tally.number for tally in tallies),
        shown=listed,
        noun=state.noun,
        names=names,
        causes=[_show_cause(cause, state, names, detailed) for cause in causes],
        broken_about=(
            f"{format_count(sum(len(c.results) for c in causes), 'failure')}, grouped by cause. "
            f"Failures that {presentation.unaware} cannot detect come first, then the most frequent ones."
        ),
        unaware=presentation.unaware,
        matrices=list(presentation.matrices(state)),
        sections=[
            {"title": s.title, "lines": s.lines, "folded": s.folded, "fragment": names.name(s.title)}
            for s in presentation.sections(state)
        ],
        catalogue_word="Catalog" if presentation.noun == "check" else "Results",
        filters=[
            ("", "All"),
            *(
                (str(one), one.word.capitalize())
                for one in _LISTED
                if any(row.filter == one for area in areas for row in area.rows)
            ),
        ],
        areas=areas,
        folded=listed >= _FOLDED,
        compact=compact,
        passing=list(_list_passing(areas)) if compact else [],
    )


_LISTED = tuple(outcome for outcome in Accounted if outcome is not Accounted.EXCLUDED)
"""The outcomes that have rows: what the options left out is counted, and the JSON report names it."""


def _mark_state(state: PresentedRun) -> Mark:
    """The mark of the verdict; a run that passed without testing every MUST check has another one."""
    exit_ = state.whole()[1].exit
    if exit_ is Exit.OK and not state.is_whole:
        return Mark("open", "none")
    return _MARKS.get(exit_, _VOID)


_WORD = re.compile(r"[a-z]+[ ,]")


def _to_sentence(text: str) -> str:
    """The text with a capital, unless it begins with a name that is spelled so."""
    return text[0].upper() + text[1:] if _WORD.match(text + " ") else text


def _choose_detailed(causes: list[Cause]) -> list[Result]:
    """The failures that are shown with their evidence: of each cause some, the worst causes first."""
    chosen = [result for cause in causes for result in cause.results[:_MOST_OF_A_CAUSE]]
    roots = [cause.results[0] for cause in causes]
    ordered = list({id(result): result for result in (*roots, *chosen)}.values())
    return ordered[:MOST_DETAILED]


def _show_cause(
    cause: Cause, state: PresentedRun, names: FragmentNames, detailed: frozenset[str]
) -> dict[str, Any]:
    full = [result for result in cause.results if result.id in detailed]
    rest = [state.mask.text(result.id) for result in cause.results if result.id not in detailed]
    listed = shorten(", ".join(rest[:_NAMED]), 2_000)
    return {
        "fragment": names.name(f"cause-{cause.key}"),
        "key": cause.key,
        "title": _to_sentence(cause.title),
        "silent": cause.silent,
        "counts": cause.counts,
        "number": len(cause.results),
        "weight": cause.weight,
        "details": [replace(found, url=link_of(found.url)) for found in (detail(r, state, names) for r in full)],
        "rest": f"{len(rest)} more of this kind, in the JSON report: {listed}" if rest else "",
        "affected": [
            {
                "id": state.mask.text(result.id),
                "title": state.mask.text(result.title),
                "fragment": names.name(result.id),
                "word": result.outcome.word,
                "mark": mark_of(str(result.outcome)),
            }
            for result in cause.affected[:_NAMED]
        ],
    }


def _with_links(area: Area) -> Area:
    return replace(area, rows=[replace(row, url=link_of(row.url)) for row in area.rows])


def _list_passing(areas: list[Area]) -> Any:
    for number, area in enumerate(areas):
        for row in area.rows:
            if row.filter == Accounted.PASSED and not row.detailed:
                yield {
                    "area": number,
                    "id": row.id,
                    "fragment": row.fragment,
                    "title": row.title,
                    "level": row.level,
                    "requirement": row.requirement,
                    "source": row.source,
                }


_REASON = 140
_MOST_IDS = 60

JUDGED = (Accounted.FAILED, Accounted.WARNED, Accounted.PASSED)
"""The outcomes of checks whose rule was compared with a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCount:
    """How many there are of something, with the word and the mark of it."""

    word: str
    number: int
    mark: Mark
    hatched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Results with one outcome for one reason."""

    ids: tuple[str, ...]
    more: int
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One row: its number and words; `part` rows are counted in another row."""

    number: int
    words: str
    about: str
    mark: Mark | None
    groups: tuple[Group, ...] = ()
    part: bool = False


def list_outcomes(state: PresentedRun) -> Iterator[OutcomeRow]:
    """The rows that are not empty; those that are no part add up to the total."""
    accounting = state.accounting
    for outcome in Accounted:
        number = accounting.counts.get(outcome, 0)
        if not number:
            continue
        results = [result for result in state.results if result.outcome is outcome]
        groups = tuple(_by_level(accounting.levels, outcome) if outcome in JUDGED else _by_reason(results, state))
        left_out = [item for item in state.presentation.left_out(state) if item.outcome is outcome]
        groups += tuple(
            Group(ids=(), more=0, reason=f"{item.number} {_show(item.why, state)}") for item in left_out
        )
        about = groups[0].reason if len(groups) == 1 else format_count(len(groups), "reason")
        yield OutcomeRow(
            number=number,
            words=outcome.word,
            about=", ".join(group.reason for group in groups) if outcome in JUDGED else about,
            mark=mark_of(str(outcome)),
            groups=groups,
        )
    if not_done := list(list_not_fulfilled(state.results)):
        groups = tuple(
            Group(ids=(), more=0, reason=f"{code} (blocks {format_count(blocked, 'check')})")
            for code, blocked in not_done
        )
        yield OutcomeRow(
            number=len(not_done),
            words="accepted but not fulfilled",
            about="2xx without the effect",
            mark=None,
            groups=groups,
            part=True,
        )


def count_for_bar(counts: Mapping[Accounted, int]) -> list[OutcomeCount]:
    """The parts of a bar: what was not judged is hatched."""
    return [_to_part(outcome.word, number, outcome) for outcome in Accounted if (number := counts.get(outcome, 0))]


def _to_part(word: str, number: int, outcome: Accounted) -> OutcomeCount:
    return OutcomeCount(word=word, number=number, mark=mark_of(str(outcome)), hatched=outcome not in JUDGED)


def _by_level(levels: Mapping[Level, Mapping[Accounted, int]], outcome: Accounted) -> Iterator[Group]:
    for level in Level:
        if number := levels[level].get(outcome, 0):
            yield Group(ids=(), more=0, reason=f"{number} {level}")


def _by_reason(results: Sequence[Result], state: PresentedRun) -> Iterator[Group]:
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in results:
        observation = result.observation
        details = observation.reason or result.excuse or observation.instead
        if result.reason is Reason.HARNESS_ERROR:  # the last line of a traceback says what happened
            details = details.strip().rpartition("\n")[2]
        if result.reason is Reason.BLOCKED:  # the finding that blocks it explains it
            details = ""
        said = ": ".join(filter(None, (result.reason_words, details)))
        helped = result.reason is not None and result.reason not in (Reason.BLOCKED, Reason.HARNESS_ERROR)
        alike[_show(said, state), remedy_of(result) if helped else ""].append(result.id)
    for (reason, remedy), ids in sorted(alike.items(), key=lambda item: -len(item[1])):
        listed = _MOST_IDS if results[0].outcome in _LISTED else 0
        yield Group(
            ids=tuple(ids[:listed]),
            more=max(0, len(ids) - listed) if listed else 0,
            reason=reason if listed else f"{len(ids)} {reason}",
            remedy=_show(remedy, state),
        )


def _show(text: str, state: PresentedRun) -> str:
    return shorten(" ".join(state.mask.show(text).split()), _REASON)


_OPEN = frozenset({Accounted.FAILED, Accounted.WARNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One result in the catalogue. `detailed`: its evidence stands above, where `fragment` leads."""

    id: str
    fragment: str
    title: str
    level: str
    word: str
    filter: str
    mark: Mark
    detailed: bool
    requirement: str
    source: str
    url: str
    breaks: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A part of the catalogue; open if there is something to see in it. `title` is "" if `name` says enough."""

    name: str
    title: str
    fragment: str
    bar: list[OutcomeCount]
    rows: list[ResultRow]
    failed: int
    is_open: bool

    @property
    def passed(self) -> int:
        """How many of its results passed."""
        return sum(part.number for part in self.bar if part.word == Accounted.PASSED.word)


def list_areas(state: PresentedRun, names: FragmentNames, detailed: frozenset[str]) -> list[Area]:
    """The areas in the order of the catalogue; `detailed` are the ids of the results that are shown in full."""
    members: dict[str, list[Result]] = defaultdict(list)
    for result in state.results:
        if result.outcome in _LISTED:
            members[state.presentation.suite(result)].append(result)
    titles = state.api.load_areas()
    return [
        Area(
            name=name,
            title=titles.get(name, ""),
            fragment=names.name(f"area-{name}"),
            bar=count_for_bar(Counter(result.outcome for result in results)),
            rows=[_to_row(result, state, names, detailed) for result in results],
            failed=sum(result.outcome is Accounted.FAILED for result in results),
            is_open=len(members) == 1
            or any(result.outcome in _OPEN or result.verdict in FAILING for result in results),
        )
        for name, results in members.items()
    ]


def _to_row(result: Result, state: PresentedRun, names: FragmentNames, detailed: frozenset[str]) -> ResultRow:
    rule = result.rule
    said = "" if result.verdict is Verdict.PASS else describe(result, state)
    title = state.mask.text(result.title)
    return ResultRow(
        id=state.mask.text(result.id),
        fragment=names.name(result.id),
        title=title,
        level=str(rule.level),
        word=result.outcome.word,
        filter=str(result.outcome),
        mark=mark_of(str(result.outcome)),
        detailed=result.id in detailed,
        requirement="" if rule.statement.rstrip(".") == title else rule.statement,
        source=str(rule.source),
        url=rule.source.url,
        breaks=rule.breaks,
        said=": ".join(part for part in (result.reason_words, "" if said == result.title else said) if part),
    )


WIRE_SHOWN = 8_192
"""Most characters of a body that the page has; the JSON report is named for the rest."""

_MOST_FINDINGS = 5
_MOST_COMMANDS = 12
_MOST_LOGS = 12
_MOST_PLACES = 40
_TEXT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFinding:
    """One finding: what is wrong and where, both sides in parts, and a cure if one is known."""

    message: str
    where: str
    expected: tuple[MarkedText, ...]
    actual: tuple[MarkedText, ...]
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What a failure opens to."""

    id: str
    fragment: str
    title: str
    level: str
    word: str
    mark: Mark
    requirement: str
    source: str
    url: str
    breaks: str
    accepted: tuple[str, ...]
    findings: tuple[ShownFinding, ...]
    more_findings: str
    reason: str
    story: Story | None
    events: EventList | None
    script: str
    notes: tuple[str, ...]
    places: tuple[str, ...]
    more_places: str
    logs: tuple[Log, ...]
    left_out: str


def detail(result: Result, state: PresentedRun, names: FragmentNames) -> Detail:
    """A result in full; secrets hidden."""
    rule, observation, display = result.rule, result.observation, state.display
    shown = order_findings(result, state)[:_MOST_FINDINGS]
    places = [place_line(item, state.mask) for item in result.evidence if isinstance(item, RecordedPlace)]
    others = [item for item in result.evidence if not isinstance(item, RecordedPlace)]
    found = logs(others, display, shown=WIRE_SHOWN)
    commands = [log.command for log in found if log.command]
    notes = []
    if result.reproduction is not None:
        notes += list(reproduction_lines(result.reproduction, state.mask, noun=state.presentation.noun))
        if result.reproduction.replays.played:
            notes.append(replay_words(result.reproduction.replays))
    if commands and state.presentation.command == "check":
        notes.append(
            f"`harness inspect REPORT.json --check {result.id}` opens these requests in the inspector "
            "(`--report json=REPORT.json` writes the file)"
        )
    return Detail(
        id=state.mask.text(result.id),
        fragment=names.name(result.id),
        title=state.mask.text(result.title),
        level=str(rule.level),
        word=result.reason_words or result.outcome.word,
        mark=mark_of(str(result.outcome)),
        requirement=rule.statement,
        source=str(rule.source),
        url=rule.source.url,
        breaks=rule.breaks,
        accepted=result.accepts,
        findings=tuple(_show_detail(number_in_whole(finding, result, display), state) for finding in shown),
        more_findings=_say_more(len(observation.findings) - len(shown), "more finding"),
        reason=_clean(observation.reason, state),
        story=tell_story(result, display),
        events=list_events(result, display),
        script="\n\n".join(commands[:_MOST_COMMANDS]),
        notes=tuple(notes),
        places=tuple(places[:_MOST_PLACES]),
        more_places=_say_more(len(places) - _MOST_PLACES, "more place"),
        logs=tuple(found[:_MOST_LOGS]),
        left_out=_say_more(len(found) - _MOST_LOGS, "more exchange"),
    )


def _say_more(number: int, noun: str) -> str:
    return f"{format_count(number, noun)}: the JSON report has all" if number > 0 else ""


def _show_detail(finding: Finding, state: PresentedRun) -> ShownFinding:
    expected, actual = compare_texts(_clean(finding.expected, state), _clean(finding.actual, state))
    return ShownFinding(
        message=_clean(finding.message, state),
        where=_clean(place(finding.where), state),
        expected=expected,
        actual=actual,
        cure=finding.cure,
    )


def _clean(text: str, state: PresentedRun) -> str:
    return shorten(state.mask.show(text).strip(), _TEXT)
