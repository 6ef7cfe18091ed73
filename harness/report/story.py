"""The events on the wire: as text with their place in the stream, and as the steps of a sequence diagram.

`harness/wire/stream_picture.py` gives the events of a stream their columns. A story has messages, chunks, pauses
and breaks; it is drawn as an ordered list and printed into the JSON report, so every step is plain text. Secrets
are hidden. Times are milliseconds since the first request, where they are known.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, groupby, pairwise
from typing import Any
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import asdict, replace

from harness.engine.events import ClientRun, Result, of_kind
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding
from harness.outcome.words import format_count, shorten, to_one_line
from harness.report.evidence.curl import Display
from harness.report.evidence.evidence_text import begin_body, body_text
from harness.report.screen import Line, Role
from harness.wire import By, Decoder, Exchange, Request, StreamProtocol
from harness.wire.bodies import json_or_none, object_or_none
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
    spell_columns,
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
    """The findings of a missing event. They number it as in the whole stream, not as in their own connection."""
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
            name, end = f"request {number + 1}", escape_controls(moment.broke)
            yield ReadStream(name=name, columns=moment.columns, start=moment.start, end=end)


def _read(exchange: Exchange, name: str, display: Display, findings: Sequence[Finding] = ()) -> ReadStream:
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


class StoryStep(Struct, frozen=True, kw_only=True):
    """One line of the diagram.

    `kind`: `request` and `answer` are arrows, `missing` is an answer that never came, `pause` and `break` are
    bands. `lane`: `front` is between the client and what is judged, `back` behind a gateway. `quoted` is of the
    wire: a path, or the beginning of a body. `events` are the places of the events of one chunk in the whole
    stream. `at` is in milliseconds, None if it is not known. `hot`: a finding speaks of it.
    """

    kind: str
    text: str
    at: int | None = None
    lane: str = "front"
    quoted: str = ""
    detail: str = ""
    events: str = ""
    hot: bool = False

    def record(self) -> dict[str, Any]:
        """The step as plain data, without what it does not have."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None, False)}


class Story(Struct, frozen=True, kw_only=True):
    """The steps of a result and the names of the lanes, two or three; `about` counts in a few words."""

    lanes: tuple[str, ...]
    about: str
    steps: tuple[StoryStep, ...]

    def record(self) -> dict[str, Any]:
        return {"lanes": list(self.lanes), "about": self.about, "steps": [step.record() for step in self.steps]}


PAUSE = 0.1
"""Seconds without a byte that are worth a line."""


class Burst(Struct):
    """Events that came without a pause, in one or several chunks; `at` is in seconds since the request."""

    at: float
    chunks: int
    events: list[StreamEvent]


def say_events(events: Sequence[StreamEvent]) -> str:
    """Events in words, such as `events 3-7`: their numbers in the whole stream."""
    if len(events) == 1:
        return f"event {events[0].number} {events[0].name}"
    return f"events {spell_columns(event.number for event in events)}" if events else ""


def group_by_moment(exchange: Exchange, events: Sequence[StreamEvent]) -> list[Burst]:
    """The events by the moment at which they were complete; those that come without a pause are together."""
    bursts: list[Burst] = []  # at most nine arrows: the last one has the rest of a longer stream
    sizes, moments = exchange.arrivals.sizes, exchange.arrivals.moments
    piece, received, last = -1, 0, 0.0
    for event in events:
        before = piece
        while received < event.end and piece + 1 < len(sizes):
            piece += 1
            received += sizes[piece]
        moment = moments[piece] if 0 <= piece < len(moments) else 0.0
        if bursts and (moment - last < PAUSE or len(bursts) == 9):
            bursts[-1].events.append(event)
            bursts[-1].chunks += piece != before
        else:
            bursts.append(Burst(moment, 1, [event]))
        last = moment
    return bursts


def request_step(
    request: Request, began: float | None, display: Display, *, lane: str = "front", hot: bool = False
) -> StoryStep:
    """The arrow of a request, `began` seconds after the first one."""
    return StoryStep(
        kind="request",
        text=request.method,
        at=None if began is None else round(1000 * began),
        lane=lane,
        quoted=shorten_path(display.mask.show(request.target)),
        detail=begin_body(request.body, display.mask, _QUOTED, request),
        hot=hot,
    )


def shorten_path(target: str) -> str:
    """The path without what all requests begin with; the whole one is in the text below."""
    path, question, query = target.partition("?")
    parts = path.split("/")
    short = "…/" + "/".join(shorten(part, 18) for part in parts[2:]) if len(parts) > 3 or parts[2:] else path
    return shorten(f"{short}{question}{unquote(query, errors='replace')}", 64)


def format_span(seconds: float) -> str:
    """A time between two moments."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{round(1000 * seconds)} ms"


def answer_step(exchange: Exchange, lane: str, display: Display, *, hot: bool = False) -> StoryStep:
    """The arrow of an answer whose moment is not known; a break if none came."""
    if exchange.status is None:
        return StoryStep(kind="break", text=f"no response: {exchange.ending.words}", lane=lane, hot=hot)
    body = b"" if exchange.is_stream else exchange.body
    return StoryStep(
        kind="answer",
        text=str(exchange.status),
        lane=lane,
        quoted=begin_body(body, display.mask, _QUOTED, exchange.request),
        events=say_events(read_events(exchange, display)) if exchange.is_stream else "",
        detail="" if exchange.ending.complete else exchange.ending.words,
        hot=hot,
    )


MOST_EXCHANGES = 24
_QUOTED = 90
"""Most characters of a body in a step."""


def tell_exchanges(
    exchanges: Sequence[Exchange], named: dict[int, str], findings: Sequence[Finding], display: Display
) -> Story:
    """The story of `exchanges`; `named` has what findings call each, by its identity."""
    timed = all(e.began is not None for e in exchanges)
    shown = (sorted(exchanges, key=_find_start) if timed else list(exchanges))[:MOST_EXCHANGES]
    first = _find_start(shown[0]) if timed else 0.0
    moments: list[_Moment] = []
    streams = [exchange for exchange in shown if exchange.is_stream]
    # Streams need numbers only if one of them begins while another one flows.
    overlap = timed and any(
        _find_start(later) < _find_start(one) + one.seconds for one, later in pairwise(streams)
    )
    labels = count(1)
    for number, exchange in enumerate(shown):
        name, last = named.get(id(exchange), ""), exchange is exchanges[-1]
        # A finding that names an event and no exchange is about the last one.
        about = [
            each
            for each in findings
            if (each.where.exchange == name if each.where.exchange else last and each.where.event is not None)
        ]
        label, events = "", list[StreamEvent]()
        if exchange.is_stream:
            label = f"stream {next(labels)}" if overlap else ""
            events = number_events(exchange, shown[:number], about, display)
        began = _find_start(exchange) - first if timed else None
        moments += _tell_exchange(exchange, began, events, about, display, label)
    if timed:
        moments.sort(key=lambda moment: moment.at)
    steps = list(_with_pauses(moments))
    if left_out := len(exchanges) - len(shown):
        steps.append(StoryStep(kind="pause", text=f"{format_count(left_out, 'more exchange')}, below as text"))
    took = f", {format_span(max(m.at for m in moments))}" if timed else ""
    return Story(
        lanes=("client", "target"), about=format_count(len(exchanges), "request") + took, steps=tuple(steps)
    )


class _Moment(Struct, frozen=True):
    """A step, and when it was: seconds since the first request, or since its own if nothing else is known."""

    at: float
    step: StoryStep


def _find_start(exchange: Exchange) -> float:
    return exchange.began or 0.0


def _with_pauses(moments: Sequence[_Moment]) -> Iterator[StoryStep]:
    """The steps, with a band wherever nothing was sent for a while."""
    before: float | None = None
    for moment in moments:
        if before is not None and moment.at - before > PAUSE:
            yield StoryStep(kind="pause", text=format_span(moment.at - before))
        before = moment.at
        yield moment.step


def _tell_exchange(
    exchange: Exchange,
    began: float | None,
    events: Sequence[StreamEvent],
    findings: Sequence[Finding],
    display: Display,
    label: str,
) -> Iterator[_Moment]:
    hot = bool(findings)
    start = began or 0.0
    end = start + exchange.seconds
    timed = None if began is None else round(1000 * end)
    request = request_step(exchange.request, began, display, hot=hot and exchange.status is None)
    yield _Moment(start, replace(request, detail=f"{label} {request.detail}".strip()))
    bursts = group_by_moment(exchange, events)
    first = bursts[0].at if bursts else exchange.seconds
    lost = lost_by(findings) if exchange.is_stream else []
    for finding in lost:
        text = f"{escape_controls(finding.expected)}, event {finding.where.event}, never comes"
        yield _Moment(start + first, StoryStep(kind="missing", text=text, hot=True))
    if not bursts:  # no stream, or one without an event
        answer = answer_step(exchange, "front", display, hot=hot or exchange.is_stream)
        detail = "a stream without an event" if exchange.is_stream else ""
        yield _Moment(end, replace(answer, at=None if exchange.is_stream else timed, detail=detail))
    places = [] if lost else [finding.where.event for finding in findings if finding.where.event is not None]
    accused = {events[place].number for place in places if place < len(events)}
    for number, burst in enumerate(bursts):
        one_chunk = "one chunk" if burst.chunks == 1 and len(burst.events) > 1 else ""
        several = f"{burst.chunks} chunks" if burst.chunks > 1 else ""
        arrow = StoryStep(
            kind="answer",
            text="" if number else str(exchange.status),  # the first one of a stream carries it
            at=None if began is None else round(1000 * (began + burst.at)),
            events=say_events(burst.events),
            detail=", ".join(filter(None, (one_chunk, several, label))),
            hot=any(event.number in accused for event in burst.events),
        )
        yield _Moment(start + burst.at, arrow)
    if exchange.status is not None and not exchange.ending.complete:
        text = f"{label}: {exchange.ending.words}" if label else exchange.ending.words
        yield _Moment(end, StoryStep(kind="break", text=text, at=timed))


def tell_story(result: Result, display: Display) -> Story | None:
    """The story of a result, from its evidence; None if nothing was sent."""
    findings = result.observation.findings
    if exchanges := of_kind(Exchange, result.evidence):
        names = result.named or ("",) * len(result.evidence)
        named = {id(item): name for item, name in zip(result.evidence, names, strict=True)}
        return tell_exchanges(exchanges, named, findings, display)
    if relayed := of_kind(RelayedExchange, result.evidence):
        return _tell_relayed(relayed, {finding.where.exchange for finding in findings}, display)
    runs = of_kind(ClientRun, result.evidence)
    return _tell_run(runs[0]) if runs else None


def _tell_relayed(relayed: Sequence[RelayedExchange], accused: set[str], display: Display) -> Story:
    chosen = [item for item in relayed if item.name in accused] or list(relayed)
    steps: list[StoryStep] = []
    for item in chosen[:3]:
        steps.append(request_step(item.client.request, None, display))
        behind = (*item.upstream, *item.misrouted)
        for number, exchange in enumerate(behind):
            steps.append(request_step(exchange.request, None, display, lane="back", hot=number > 0))
            steps.append(answer_step(exchange, "back", display))
        if not behind:
            steps.append(StoryStep(kind="missing", text="nothing arrives upstream", lane="back", hot=True))
        steps.append(answer_step(item.client, "front", display, hot=item.name in accused))
    left = len(chosen) - 3
    if left > 0:
        steps.append(StoryStep(kind="pause", text=f"{format_count(left, 'more exchange')}, below as text"))
    return Story(
        lanes=("client", "gateway", "upstream"), about=format_count(len(relayed), "exchange"), steps=tuple(steps)
    )


def _tell_run(run: ClientRun) -> Story:
    steps: list[StoryStep] = []
    for moment in run.moments[:MOST_EXCHANGES]:
        method, _, rest = escape_controls(moment.request).partition(" ")
        path, *remarks = rest.split(" ", 1)
        at, remark = round(1000 * moment.at), "".join(remarks)
        steps.append(StoryStep(kind="request", text=method, quoted=shorten_path(path), detail=remark, at=at))
        steps.append(StoryStep(kind="answer", text=escape_controls(moment.answer)))
        if moment.fault_words:
            steps.append(StoryStep(kind="break", text=escape_controls(moment.fault_words), hot=True))
    if run.end:
        steps.append(StoryStep(kind="pause", text=f"the client {escape_controls(run.end)}"))
    return Story(lanes=("client", "server"), about=format_count(len(run.moments), "request"), steps=tuple(steps))
