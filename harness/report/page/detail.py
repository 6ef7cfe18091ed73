"""One failure in full: requirement, what was expected and what came, the story, the events, commands, bytes.

Layer 6.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.engine.results import RecordedPlace, Result
from harness.look.assets import Mark, mark_of
from harness.outcome import Finding
from harness.outcome.words import format_count, shorten
from harness.report.causes import order_findings
from harness.report.evidence.evidence_text import Log, logs, place_line
from harness.report.evidence.stream_events import number_in_whole
from harness.report.explanation import replay_words, reproduction_lines
from harness.report.finding_text import place
from harness.report.page.comparison import MarkedText, compare_texts
from harness.report.page.event_list import EventList, list_events
from harness.report.page.fragments import FragmentNames
from harness.report.page.story.story import Story
from harness.report.page.story.tell import tell_story
from harness.report.presented_run import PresentedRun

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
        findings=tuple(_show(number_in_whole(finding, result, display), state) for finding in shown),
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


def _show(finding: Finding, state: PresentedRun) -> ShownFinding:
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
