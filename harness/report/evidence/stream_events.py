"""The events of a stream as text, with their place in it, and the picture of it; secrets are hidden.

`harness/wire/stream_picture.py` gives the events their columns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from harness.engine.results import ClientRun, Result, of_kind
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding
from harness.outcome.words import format_count, shorten, to_one_line
from harness.report.evidence.curl import Display
from harness.report.evidence.evidence_text import body_text
from harness.report.screen import Line, Role
from harness.wire import By, Decoder, Exchange, StreamProtocol
from harness.wire.json_value import json_or_none, object_or_none
from harness.wire.message import escape_controls
from harness.wire.stream_picture import (
    CellKind,
    Columns,
    EventKeys,
    ReadEvent,
    ReadStream,
    StreamPicture,
    draw_picture,
    find_look,
    picture_lines,
)

NEVER = "nothing"
"""What a finding says in place of an event that did not come."""

_SUMMARY = 90


class StreamEvent(Struct, frozen=True, kw_only=True):
    """One event: its number in its stream (from 0), the byte after its last one, its kind, and its content.

    `summary` is its payload in a line, `payload` the whole, indented; `size` is in bytes. `cursor` is its id,
    masked; `read` are the parts that a picture needs.
    """

    number: int
    end: int
    name: str
    summary: str
    payload: str
    size: int
    read: ReadEvent
    cursor: str = ""


def read_events(exchange: Exchange, display: Display) -> list[StreamEvent]:
    """The events of a stream in their order."""
    frames = Decoder().feed(exchange.body)
    masked = Decoder().feed(body_text(exchange.body, exchange.request, display).encode("utf-8", "replace"))
    if len(masked) != len(frames):  # what cannot be shown without a secret is not shown
        masked = [frame._replace(data=b"***") for frame in frames]
    protocol = display.api.load_protocol()
    after = _find_cursor(exchange, display)
    keys = EventKeys(cursor=after)
    events = []
    for number, (frame, shown) in enumerate(zip(frames, masked, strict=True)):
        raw = object_or_none(frame.data)
        cursor = (protocol.cursor(raw) if raw is not None else None) or ""
        words = _word_event(shown.data, protocol)
        look = find_look(raw, frame.data, protocol, is_first=not after and not number)
        read = ReadEvent(key=keys.make(cursor, frame.data), cursor=cursor, name=words["name"], look=look)
        size = frame.end - frame.start
        events.append(StreamEvent(number=number, end=frame.end, size=size, read=read, **words))
    return events


def _word_event(data: bytes, protocol: StreamProtocol) -> dict[str, str]:
    """The kind of an event, its content in a line and as a whole, and its cursor. Only the whole has line ends."""
    value, text = json_or_none(data), data.decode("utf-8", "replace")
    if not isinstance(value, dict):
        name, summary, payload, cursor = shorten(text, 24), "", text, ""
    else:
        name, cursor = protocol.name_event(value), protocol.cursor(value) or ""
        payload = json.dumps(value, ensure_ascii=False, indent=2)
        summary = ", ".join(  # the members that are short or deep: a reader distinguishes events by them
            f"{member}: {json.dumps(item, ensure_ascii=False)}"
            for member, item in value.items()
            if not (isinstance(item, str) and len(item) > _SUMMARY // 2)
        )
    words = {
        "name": to_one_line(name) or "no kind",
        "summary": shorten(to_one_line(summary), _SUMMARY),
        "payload": shorten(payload, 4_000),
        "cursor": to_one_line(cursor),
    }
    return {part: escape_controls(text) for part, text in words.items()}


def _find_cursor(exchange: Exchange, display: Display) -> str:
    """The cursor that a stream was resumed from; `""` if it was not."""
    resumed = display.api.load_protocol().is_resume(exchange.request)
    return (resumed[1] or "") if resumed else ""


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
    lost = frozenset(finding.where.event or 0 for finding in lost_by(findings))
    columns, numbered, at = Columns(), [], 0
    for event in read_events(begun[0], display):
        at = max(at, columns.find(event.read, at) + 1)
    at = begun[1]
    for event in events:
        column = columns.find(event.read, at, lost)
        numbered.append(replace(event, number=column))
        at = max(at, column + 1)
    return numbered


def number_in_whole(finding: Finding, result: Result, display: Display) -> Finding:
    """The finding with its event numbered as in the whole stream: its judge counts from the connection's start."""
    at, found = finding.where.event, find_stream(finding, result)
    if at is None or found is None or finding.actual == NEVER:
        return finding
    numbers = [event.number for event in number_events(*found, [], display)]
    if at >= len(numbers):  # the one that should follow
        return finding.at(event=numbers[-1] + 1) if numbers else finding
    return finding.at(event=numbers[at])


def find_stream(finding: Finding, result: Result) -> tuple[Exchange, list[Exchange]] | None:
    """The stream in which a finding names an event, and the other exchanges; None if it names none.

    Where a finding does not name its exchange, as in a history that was searched for, the last one shows it.
    """
    if finding.where.event is None or not result.evidence:
        return None
    named = dict(zip(result.named, result.evidence, strict=False))
    exchange = named.get(finding.where.exchange) if finding.where.exchange else result.evidence[-1]
    if not isinstance(exchange, Exchange) or not exchange.is_stream:
        return None
    return exchange, [item for item in of_kind(Exchange, result.evidence) if item is not exchange]


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


class EventRow(Struct, frozen=True, kw_only=True):
    """One row: an event, an event that is missing (`kind` is `missing`), or the place of a cut (`cut`)."""

    kind: str = "event"
    number: int | None = None
    name: str = ""
    summary: str = ""
    payload: str = ""
    size: int = 0
    accused: bool = False


class EventFold(Struct, frozen=True, kw_only=True):
    """Rows that are shown together; `summary` describes a closed fold, `""` if it is open."""

    summary: str
    rows: tuple[EventRow, ...]


class EventList(Struct, frozen=True, kw_only=True):
    """The picture of the streams of a result, and the events around the one that a finding names, if one does."""

    about: str
    picture: StreamPicture
    folds: tuple[EventFold, ...] = ()


def list_events(result: Result, display: Display, *, total: int = 0) -> EventList | None:
    """The streams that the first finding with an event is about, else all of a result; None if it has none.

    `total` is the number of events of the whole stream, if that is known.
    """
    for finding in result.observation.findings:
        if (found := find_stream(finding, result)) is not None:
            return _list(finding, *found, result, display)
    readings = list(_list_readings(result, display))
    if not any(reading.events or reading.columns for reading in readings):
        return None
    picture = draw_picture(readings, total=total)
    if of_kind(RelayedExchange, result.evidence) and result.observation.findings:
        picture = _accuse_intermediary(picture)
    return EventList(about="", picture=picture)


def _accuse_intermediary(picture: StreamPicture) -> StreamPicture:
    """The picture with what the client received otherwise than the upstream sent it: its last two rows differ."""
    *before, received = picture.rows
    sent = {(cell.column, cell.kind) for row in before[-1:] for cell in row.cells}
    lines = tuple(
        tuple(replace(cell, accused=(cell.column, cell.kind) not in sent) for cell in line)
        for line in received.lines
    )
    return replace(picture, rows=(*before, replace(received, lines=lines)))


_LAST = "the last exchange"
_MOST_ROWS = 8
"""Most connections of a picture."""


def _list_readings(result: Result, display: Display) -> Iterator[ReadStream]:
    """The streams of a result, if all of them belong to one."""
    if runs := of_kind(ClientRun, result.evidence):
        yield from read_run(runs[0], display)
        return
    if relayed := of_kind(RelayedExchange, result.evidence):
        yield from _list_relayed(relayed, [each.where.exchange for each in result.observation.findings], display)
        return
    names = dict(zip(map(id, result.evidence), result.named, strict=False))
    streams = [item for item in of_kind(Exchange, result.evidence) if item.is_stream]
    if len(streams) <= _MOST_ROWS and _are_of_one_stream(streams, display):
        yield from (_read(exchange, names.get(id(exchange), ""), display) for exchange in streams)


def _list_relayed(
    relayed: Sequence[RelayedExchange], named: Sequence[str], display: Display
) -> Iterator[ReadStream]:
    """The stream of the exchange that the first finding names, after the one that it resumes."""
    chosen = next((item for item in relayed if item.name in named[:1]), relayed[0])
    if chosen.client.is_stream:
        begun = _find_begun(chosen.client, [item.client for item in relayed], display)
        for item in relayed:
            if item is chosen or (begun is not None and item.client is begun[0]):
                sent = [exchange for exchange in item.upstream if exchange.is_stream]
                yield from (_read(exchange, "upstream sent", display) for exchange in sent[:_MOST_ROWS])
                yield _read(item.client, "client received", display)


def _are_of_one_stream(exchanges: Sequence[Exchange], display: Display) -> bool:
    """Whether one resource was streamed in all of these; the id in a response counts, not its path."""
    protocol = display.api.load_protocol()
    found = set()
    for exchange in exchanges:
        named = protocol.is_resume(exchange.request)
        values = (object_or_none(frame.data) for frame in Decoder().feed(exchange.body))
        found.add(named[0] if named else next((i for v in values if v and (i := protocol.stream_id(v))), ""))
    return len(found) == 1


def read_run(run: ClientRun, display: Display) -> Iterator[ReadStream]:
    """The streams of a client under test."""
    for number, moment in enumerate(run.moments):
        if moment.columns is not None:
            yield ReadStream(
                name=f"request {number + 1}",
                columns=moment.columns,
                start=moment.start,
                end=escape_controls(moment.broke),
            )


def _read(exchange: Exchange, name: str, display: Display, findings: Sequence[Finding] = ()) -> ReadStream:
    """A stream as a picture shows it."""
    after, ending = _find_cursor(exchange, display), exchange.ending
    left = ending.by is By.CLIENT and not ending.complete
    return ReadStream(
        name=escape_controls(name or ("resume" if after else "stream")),
        events=[event.read for event in read_events(exchange, display)],
        after=after,
        lost=frozenset(finding.where.event or 0 for finding in lost_by(findings)),
        accused=frozenset(f.where.event for f in findings if f.where.event is not None and f.actual != NEVER),
        end="" if ending.complete else ending.words,
        left=left,
    )


def _list(
    finding: Finding, exchange: Exchange, earlier: Sequence[Exchange], result: Result, display: Display
) -> EventList:
    begun = _find_begun(exchange, earlier, display)
    before = None if begun is None else read_events(begun[0], display)[: begun[1]]
    events = number_events(exchange, earlier, [finding], display)
    at = None if finding.actual == NEVER else finding.where.event
    numbered = number_in_whole(finding, result, display).where.event
    if any(e.number == numbered and e.cursor and finding.actual == repr(e.cursor) for e in events):  # of its id
        events, before = _show_ids(events), None if before is None else _show_ids(before)
    rows = [replace(row, accused=number == at) for number, row in enumerate(_build_rows(events))]
    name = finding.where.exchange or (_LAST if earlier else "")
    if before is None or begun is None:
        picture = draw_picture([_read(exchange, name, display, [finding])])
        return EventList(
            about=f"of {name}" if name else "", picture=picture, folds=_fold(_show_missing(rows, finding))
        )
    cut = EventRow(kind="cut", name=f"a new connection: the client resumes after event {before[-1].number}")
    folds = _fold(_show_missing([*_build_rows(before), cut, *rows], finding))
    readings = [_read(begun[0], "", display), *_read_resumed(begun[0], exchange, finding, result, display)]
    return EventList(about="numbered as in the whole stream", picture=draw_picture(readings), folds=folds)


def _read_resumed(
    begun: Exchange, exchange: Exchange, finding: Finding, result: Result, display: Display
) -> Iterator[ReadStream]:
    """The streams that went on after the first one, as far as a finding speaks of them."""
    others = [item for item in of_kind(Exchange, result.evidence) if item.is_stream and item is not begun]
    for other in others[:_MOST_ROWS]:
        found = [
            each
            for each in result.observation.findings
            if (stream := find_stream(each, result)) is not None and stream[0] is other
        ]
        if about := found or [finding] * (other is exchange):
            yield _read(other, about[0].where.exchange or _LAST, display, about)


def _show_ids(events: Sequence[StreamEvent]) -> list[StreamEvent]:
    return [replace(e, summary=f"{e.cursor or 'no id'}   {e.summary}") for e in events]


def _build_rows(events: Sequence[StreamEvent]) -> list[EventRow]:
    return [
        EventRow(number=e.number, name=e.name, summary=e.summary, payload=e.payload, size=e.size) for e in events
    ]


def _show_missing(rows: Sequence[EventRow], finding: Finding) -> Sequence[EventRow]:
    """The rows with one for the event that a finding misses, with an arrow, where it should have been."""
    at = finding.where.event
    if finding.actual != NEVER:
        return rows
    missing = EventRow(kind="missing", number=at, name=escape_controls(finding.expected), accused=True)
    place = next((n for n, row in enumerate(rows) if row.number is not None and row.number > (at or 0)), len(rows))
    return [*rows[:place], missing, *rows[place:]]


def _fold(rows: Sequence[EventRow]) -> tuple[EventFold, ...]:
    """The rows near one with a finding, and those before, between and after them."""
    accused = [number for number, row in enumerate(rows) if row.accused]
    near = {n for at in accused[:3] for n in range(at - _NEIGHBOURS - 1, at + _NEIGHBOURS + 1)}
    folds: list[EventFold] = []
    end = 0
    for is_near, numbers in groupby(range(len(rows)), near.__contains__):
        part = tuple(rows[number] for number in numbers)
        end += len(part)
        where = "before" if not folds else "after" if end == len(rows) else "between"
        kinds = Counter(row.name for row in part if row.kind == "event")
        listed = ", ".join(f"{name} ×{number}" if number > 1 else name for name, number in kinds.items())
        more = f"; the first {_MOST_FOLDED} are here" if len(part) > _MOST_FOLDED else ""
        summary = "" if is_near else f"{format_count(len(part), 'event')} {where}: {listed}{more}"
        folds.append(EventFold(summary=summary, rows=part[:_MOST_FOLDED]))
    return tuple(folds)


def event_lines(listed: EventList | None) -> Iterator[Line]:
    """The picture of the streams, then the event that a finding names with its neighbors; or no line."""
    if listed is None or not (listed.folds or listed.picture.kinds & {CellKind.MISSING, CellKind.TWICE}):
        return
    yield Line(f"events{f' {listed.about}' if listed.about else ''}:")
    yield from (Line(f"  {line}") for line in picture_lines(listed.picture))
    for row in (row for fold in listed.folds if not fold.summary for row in fold.rows):
        if row.kind == "cut":
            yield Line(f"          -- {row.name} --", Role.QUIET)
            continue
        arrow = "->" if row.accused else "  "
        number = "" if row.number is None else row.number
        content = "MISSING" if row.kind == "missing" else shorten(row.summary, 31)  # with the rest: 80 columns
        role = Role.MISSING if row.kind == "missing" else Role.ACTUAL if row.accused else Role.QUIET
        yield Line(f"  {arrow} {number:>4}  {row.name:<29} {content}".rstrip(), role)
