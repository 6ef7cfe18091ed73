"""The list of the events around a fault: two neighbours on each side, the rest in folds.

Layer 6. Two connections become one list: what a client has when it resumed is the events up to its cursor, then
those of the second connection, numbered as in the whole stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.engine.results import Result
from harness.outcome import Finding
from harness.outcome.words import format_count
from harness.report.evidence.display import Display
from harness.report.evidence.stream_events import (
    NEVER,
    StreamEvent,
    events_before,
    find_stream,
    number_events,
    number_in_whole,
)
from harness.wire import Exchange
from harness.wire.control_characters import escape_controls

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
        folds.append(EventFold(summary="" if is_near else _summarise(part, where), rows=part[:_MOST_FOLDED]))
        start = end
    return tuple(folds)


def _summarise(rows: Sequence[EventRow], where: str) -> str:
    kinds = Counter(row.name for row in rows if row.kind == "event")
    listed = ", ".join(f"{name} ×{number}" if number > 1 else name for name, number in kinds.items())
    cut = f"; the first {_MOST_FOLDED} are here" if len(rows) > _MOST_FOLDED else ""
    return f"{format_count(len(rows), 'event')} {where}: {listed}{cut}"
