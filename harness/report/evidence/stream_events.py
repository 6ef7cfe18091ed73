"""The events of a stream as text, with their place in it; secrets are hidden.

Layer 6.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.engine.results import Result
from harness.outcome import Finding
from harness.outcome.words import format_count, shorten
from harness.report.evidence.display import Display
from harness.report.evidence.evidence_text import body_text
from harness.wire import Decoder, Exchange
from harness.wire.control_characters import escape_controls
from harness.wire.json_value import json_or_none, object_or_none

NEVER = "nothing"
"""What a finding says in place of an event that did not come."""

_SUMMARY = 90
_JSON = 4_000
"""Most characters of the JSON of an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """One event: its number in its stream (from 0), the byte after its last one, its kind, and what it says.

    `summary` is its payload in a line, `payload` the whole, indented; `size` is in bytes. `cursor` is its id.
    """

    number: int
    end: int
    name: str
    summary: str
    payload: str
    size: int
    cursor: str = ""


def read_events(exchange: Exchange, display: Display) -> list[StreamEvent]:
    """The events of a stream in their order."""
    frames = Decoder().feed(exchange.body)
    masked = Decoder().feed(body_text(exchange.body, exchange.request, display).encode("utf-8", "replace"))
    if len(masked) != len(frames):  # what cannot be shown without a secret is not shown
        masked = [frame._replace(data=b"***") for frame in frames]
    protocol = display.api.load_protocol()
    events = []
    for number, (frame, shown) in enumerate(zip(frames, masked, strict=True)):
        value = json_or_none(shown.data)
        text = shown.data.decode("utf-8", "replace")
        name = protocol.name_event(value) if isinstance(value, dict) else escape_controls(shorten(text, 24))
        payload = json.dumps(value, ensure_ascii=False, indent=2) if isinstance(value, dict) else text
        events.append(
            StreamEvent(
                number=number,
                end=frame.end,
                name=escape_controls(name or "no kind"),
                summary=escape_controls(shorten(_summarise(value), _SUMMARY)) if isinstance(value, dict) else "",
                payload=escape_controls(shorten(payload, _JSON)),
                size=frame.end - frame.start,
                cursor=escape_controls(protocol.cursor(value) or "") if isinstance(value, dict) else "",
            )
        )
    return events


def _summarise(value: dict[str, object]) -> str:
    """The members of an event that are short or deep, in a line: what a reader tells events apart by."""
    return ", ".join(
        f"{name}: {json.dumps(item, ensure_ascii=False)}"
        for name, item in value.items()
        if not (isinstance(item, str) and len(item) > _SUMMARY // 2)
    )


def lost_by(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that an event did not come; their `event` is its number in the whole stream."""
    return [finding for finding in findings if finding.actual == NEVER and finding.where.event is not None]


def number_events(
    exchange: Exchange, earlier: Sequence[Exchange], findings: Sequence[Finding], display: Display
) -> list[StreamEvent]:
    """The events of a stream, numbered as in the whole: a resumed one goes on where its reader was."""
    events = read_events(exchange, display)
    begun = _find_begun(exchange, earlier, display)
    if begun is None:
        return events
    lost = sorted({finding.where.event or 0 for finding in lost_by(findings)})
    numbered, number = [], begun[1]
    for event in events:
        while number in lost:
            number += 1
        numbered.append(replace(event, number=number))
        number += 1
    return numbered


def number_in_whole(finding: Finding, result: Result, display: Display) -> Finding:
    """The finding with its event numbered as in the whole stream: its judge counts from the connection's start."""
    at, found = finding.where.event, find_stream(finding, result)
    if at is None or found is None or finding.actual == NEVER:
        return finding
    begun = _find_begun(*found, display)
    return finding if begun is None else finding.at(event=begun[1] + at)


def find_stream(finding: Finding, result: Result) -> tuple[Exchange, list[Exchange]] | None:
    """The stream in which a finding names an event, and the other exchanges; None if it names none.

    Where a finding does not name its exchange, as in a history that was searched for, the last one shows it.
    """
    if finding.where.event is None or not result.evidence:
        return None
    named = {name: item for name, item in zip(result.named, result.evidence, strict=False) if name}
    exchange = named.get(finding.where.exchange, None if finding.where.exchange else result.evidence[-1])
    if not isinstance(exchange, Exchange) or not exchange.is_stream:
        return None
    return exchange, [item for item in result.evidence if isinstance(item, Exchange) and item is not exchange]


def events_before(exchange: Exchange, earlier: Sequence[Exchange], display: Display) -> list[StreamEvent] | None:
    """The events that a reader has when it resumes, from the stream that gave it its cursor; None if none did."""
    begun = _find_begun(exchange, earlier, display)
    return None if begun is None else read_events(begun[0], display)[: begun[1]]


def _find_begun(exchange: Exchange, earlier: Sequence[Exchange], display: Display) -> tuple[Exchange, int] | None:
    """The stream that gave a reader its cursor, and the number of events up to that one; None if none did."""
    protocol = display.api.load_protocol()
    resumed = protocol.is_resume(exchange.request)
    if resumed is None or not resumed[1]:
        return None
    for other in earlier:
        if other.is_stream and other is not exchange:
            for number, frame in enumerate(Decoder().feed(other.body)):
                if protocol.cursor(object_or_none(frame.data) or {}) == resumed[1]:
                    return other, number + 1
    return None


_NEIGHBOURS = 2
_MOST_FOLDED = 60
"""Most events of a fold whose JSON is in the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One row: an event, an event that is missing (`kind` is `missing`), or the place of a cut (`cut`)."""

    kind: str = "event"
    number: int | None = None
    name: str = ""
    summary: str = ""
    payload: str = ""
    size: int = 0
    accused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFold:
    """Rows that are shown together; `summary` says what a closed fold holds, `""` if it is open."""

    summary: str
    rows: tuple[EventRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventList:
    """The events that a finding speaks of, and how the list came about."""

    about: str
    folds: tuple[EventFold, ...]


def list_events(result: Result, display: Display) -> EventList | None:
    """The list for the first finding that names an event; None if none does."""
    for finding in result.observation.findings:
        if (found := find_stream(finding, result)) is not None:
            return _list(number_in_whole(finding, result, display), *found, display)
    return None


def _list(finding: Finding, exchange: Exchange, earlier: Sequence[Exchange], display: Display) -> EventList:
    before = events_before(exchange, earlier, display)
    events = number_events(exchange, earlier, [finding], display)
    if _is_about_ids(finding, events):
        events, before = _show_ids(events), None if before is None else _show_ids(before)
    rows = _build_rows(events)
    if before is None:
        return EventList(
            about=f"of {finding.where.exchange or 'the last exchange'}", folds=_fold(_accuse(rows, finding))
        )
    after = before[-1].number
    cut = EventRow(kind="cut", name=f"a new connection: the client resumes after event {after}")
    folds = _fold(_accuse([*_build_rows(before), cut, *rows], finding))
    return EventList(about="both connections in one list, numbered as in the whole stream", folds=folds)


def _is_about_ids(finding: Finding, events: Sequence[StreamEvent]) -> bool:
    """Whether what a finding says of its event is the id that it has."""
    return any(e.number == finding.where.event and e.cursor and finding.actual == repr(e.cursor) for e in events)


def _show_ids(events: Sequence[StreamEvent]) -> list[StreamEvent]:
    return [replace(e, summary=f"{e.cursor or 'no id'}   {e.summary}") for e in events]


def _build_rows(events: Sequence[StreamEvent]) -> list[EventRow]:
    return [
        EventRow(number=e.number, name=e.name, summary=e.summary, payload=e.payload, size=e.size) for e in events
    ]


def _accuse(rows: Sequence[EventRow], finding: Finding) -> list[EventRow]:
    """The rows with an arrow at the event that the finding names, or with a row where it should have been."""
    at = finding.where.event
    if finding.actual != NEVER:
        return [replace(row, accused=row.number == at and row.kind == "event") for row in rows]
    missing = EventRow(kind="missing", number=at, name=escape_controls(finding.expected), accused=True)
    place = next((n for n, row in enumerate(rows) if row.number is not None and row.number > (at or 0)), len(rows))
    return [*rows[:place], missing, *rows[place:]]


def _fold(rows: Sequence[EventRow]) -> tuple[EventFold, ...]:
    accused = [number for number, row in enumerate(rows) if row.accused]
    near = {n for at in accused[:3] for n in range(at - _NEIGHBOURS - 1, at + _NEIGHBOURS + 1)}
    folds: list[EventFold] = []
    start = 0
    while start < len(rows):
        end = start
        is_near = start in near
        while end < len(rows) and (end in near) == is_near:
            end += 1
        part = tuple(rows[start:end])
        where = "before" if not folds else "after" if end == len(rows) else "between"
        folds.append(EventFold(summary="" if is_near else _summarise_fold(part, where), rows=part[:_MOST_FOLDED]))
        start = end
    return tuple(folds)


def _summarise_fold(rows: Sequence[EventRow], where: str) -> str:
    kinds = Counter(row.name for row in rows if row.kind == "event")
    listed = ", ".join(f"{name} ×{number}" if number > 1 else name for name, number in kinds.items())
    cut = f"; the first {_MOST_FOLDED} are here" if len(rows) > _MOST_FOLDED else ""
    return f"{format_count(len(rows), 'event')} {where}: {listed}{cut}"
