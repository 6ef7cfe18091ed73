"""One exchange as a server saw it pass: what is known of it so far.

Takes an answer apart as far as bytes and the protocol of an API say; must not know who keeps it, or how many
others are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from harness.faults.service import Suffered
from harness.kit.api import RunOrder
from harness.wire import (
    KEPT_BYTES,
    By,
    Chunk,
    Decoder,
    Ending,
    Exchange,
    ExchangeBuilder,
    Frame,
    Framing,
    Headers,
    Request,
    StreamProtocol,
)
from harness.wire.bodies import CODINGS, Inflater, coding_of
from harness.wire.message import EVENT_STREAM, At
from harness.wire.stream_picture import Columns, EventKeys, ReadEvent, find_look


class Head(NamedTuple):
    """The head of an answer."""

    status: int
    headers: Headers
    framing: Framing


class ChunkRun(NamedTuple):
    """`chunks[start:end]`, which went out at once: a range, because many answers may share their chunks."""

    chunks: Sequence[Chunk]
    start: int
    end: int


Passed: TypeAlias = Request | Head | ChunkRun | Ending
"""A part of an exchange: its request, the head of the answer, chunks, the ending."""


class SeenEvent(NamedTuple):
    """One event of a stream: its kind, its span in the body, when it came, and the cursor it carries.

    `read` distinguishes it from other events of its stream; `column` is its place in the whole stream.
    """

    name: str
    look: str
    start: int
    end: int
    moment: float
    cursor: str | None
    read: ReadEvent
    column: int


class SeenExchange:
    """One exchange under observation, an `AnswerObserver`: each part that passes goes to `note`.

    `after` is the number of the exchange whose stream it resumes, and `column` the place of its first event in
    the whole stream. `run` is the id of the run it is about. `suffered` is what a fault plan did to it.
    `unjudged` are the events of a resumed stream that goes on, as far as no judge has seen them. `is_told`: pages
    know of it. What only a reader of the exchange needs is made by `open`.
    """

    columns: Columns
    keys: EventKeys
    recorder: ExchangeBuilder
    decoder: Decoder
    # What an exchange begins with is of the class: under load one is made for each request, and most are forgotten
    # before a page looks.
    order: RunOrder | None = None
    run = ""
    cursor: str | None = None
    after: int | None = None
    column = next_column = 0
    status: int | None = None
    is_stream = False
    events: list[SeenEvent]
    more_events = 0
    ending: Ending | None = None
    exchange: Exchange | None = None
    findings: tuple[dict[str, Any], ...] = ()
    suffered: Suffered | None = None
    error = ""
    inflater: Inflater | None = None
    unjudged: list[dict[str, Any]]
    is_told = forgotten = judged = False

    def __init__(
        self, note: Callable[[SeenExchange, Passed], object], number: int, request: Request, began: float
    ) -> None:
        self.number = number
        self.request = request
        self.began = began
        self.events, self.unjudged = [], []
        self.size = len(request.body) + len(request.target)
        self._note = note

    def open(self) -> None:
        """Make what is needed to take the answer apart."""
        self.columns, self.keys = Columns(), EventKeys()
        self.recorder = ExchangeBuilder(self.request)
        self.decoder = Decoder()

    def note_head(self, status: int, headers: Headers, framing: Framing) -> None:
        self._note(self, Head(status, headers, framing))

    def note_chunks(self, chunks: Sequence[Chunk], start: int = 0, end: int = 1) -> None:
        self._note(self, ChunkRun(chunks, start, end))

    def note_end(self, ending: Ending) -> None:
        self._note(self, ending)

    def place_finding(self, column: int | None) -> Change:
        """Where a finding about a column stands: at its event, or at the next one if that is `missing`."""
        if column is None:
            return {"event": None}
        number = next((at for at, event in enumerate(self.events) if event.column >= column), None)
        is_missing = number is not None and self.events[number].column != column
        return {"event": number, "missing": column} if is_missing else {"event": number}

    def take_head(self, status: int, headers: Headers, framing: Framing) -> None:
        coding = coding_of(headers)
        if coding in CODINGS:  # only a tap sees answers as they were coded
            self.inflater = Inflater(coding)
            headers = headers.without("content-encoding", "content-length")
        self.recorder.head(status, headers, framing)
        self.status = status
        self.is_stream = headers.media_type() == EVENT_STREAM

    def take_chunks(self, chunks: Sequence[Chunk], moment: float) -> tuple[list[Frame], int]:
        """Record pieces of the body; return the frames that they complete, and how many bytes are kept of them."""
        if self.inflater is not None:
            chunks = [Chunk(self._inflate(self.inflater, chunk.data)) for chunk in chunks]
        data = b"".join([chunk.data for chunk in chunks])
        kept = min(len(data), max(0, KEPT_BYTES - self.recorder.size))
        self.recorder.chunks(chunks, moment - self.began)
        self.size += kept
        return self.decoder.feed(data) if self.is_stream else [], kept

    def take_event(
        self, frame: Frame, value: Mapping[str, Any] | None, protocol: StreamProtocol, moment: float
    ) -> None:
        """Record an event of the stream; `value` is None if it is not JSON."""
        is_first = not (self.events or self.column or self.cursor)
        look = find_look(value, frame.data, protocol, is_first=is_first)
        if value is None:
            name, cursor = ("end of stream" if look == "done" else "not JSON"), None
        else:
            name, cursor = protocol.name_event(value), protocol.cursor(value)
        if not self.events:
            self.keys.cursor = self.cursor or ""
        read = ReadEvent(key=self.keys.make(cursor or "", frame.data), cursor=cursor or "")
        column = self.columns.find(read, self.next_column)
        self.next_column = max(self.next_column, column + 1)
        self.events.append(SeenEvent(name, look, frame.start, frame.end, moment, cursor, read, column))

    def repeats(self, first: SeenExchange) -> bool:
        """Whether this later stream brings exactly the events of another one that is from its beginning, too."""
        return (
            first is not self
            and first.cursor is None
            and [event.read.key for event in self.events] == [event.read.key for event in first.events]
        )

    def place_again(self, columns: Columns) -> bool:
        """Find the columns of all events again, when more is known of the stream; whether any has changed."""
        before = [event.column for event in self.events]
        self.columns = columns
        start = columns.follow(self.cursor) if self.cursor is not None else 0
        self.column = self.next_column = self.column if start is None else start
        for number, event in enumerate(self.events):
            column = columns.find(event.read, self.next_column)
            self.events[number] = event._replace(column=column)
            self.next_column = max(self.next_column, column + 1)
        return before != [event.column for event in self.events]

    def _inflate(self, inflater: Inflater, data: bytes) -> bytes:
        """The decoded bytes; what cannot be decoded, or is more than is kept, is left out."""
        if self.recorder.size > KEPT_BYTES:
            return b""
        try:
            return inflater.feed(data, KEPT_BYTES)
        except ValueError:
            return b""


# The changes for a page: one small JSON object for each event.
# Knows the words between server and page, which `page/model.js` takes; must not know how they travel.


Change: TypeAlias = dict[str, Any]
"""One thing that happened; `is` names its kind."""


def describe_request(seen: SeenExchange) -> Change:
    """A request came."""
    request, order = seen.request, seen.order
    change: Change = {
        "is": "request", "n": seen.number, "at": seen.began, "method": request.method, "target": request.target,
        "run": seen.run, "words": order.words if order is not None else "", "creates": order is not None,
    }  # fmt: skip
    if seen.cursor is not None:
        change |= {"cursor": seen.cursor, "after": seen.after, "column": seen.column}
    return change


def describe_head(seen: SeenExchange) -> Change:
    """The head of an answer came."""
    return {"is": "head", "n": seen.number, "status": seen.status, "stream": seen.is_stream}


def describe_event(seen: SeenExchange, number: int) -> Change:
    """An event of a stream came; `number` counts within its answer from 0."""
    event = seen.events[number]
    return {
        "is": "event", "n": seen.number, "e": number, "name": event.name, "look": event.look,
        "size": event.end - event.start, "at": event.moment, "cursor": event.cursor or "", "c": event.column,
    }  # fmt: skip


def describe_columns(seen: SeenExchange) -> Change:
    """The events of a stream have other places in the whole than was known before."""
    return {"is": "columns", "n": seen.number, "column": seen.column, "columns": [e.column for e in seen.events]}


def place_in_run(seen: SeenExchange) -> tuple[bool, int]:
    """The place of a stream among those of its run: whole ones first, then resumed ones."""
    return seen.cursor is not None, seen.number


def place_streams(streams: Sequence[SeenExchange]) -> Iterator[SeenExchange]:
    """Place the events of all streams of one run again; return those that changed.

    A stream from its beginning defines the whole, so that a resume before it can turn out to lack an event.
    """
    columns = Columns()
    for seen in sorted(streams, key=place_in_run):
        if seen.place_again(columns):
            yield seen


def describe_end(seen: SeenExchange) -> Change:
    """An exchange ended; `planned` is the effect of a fault plan, `error` the text of a rejection."""
    ending, exchange = seen.ending, seen.exchange
    assert ending is not None
    assert exchange is not None
    planned = [str(fault) for fault in seen.suffered.fired] if seen.suffered is not None else []
    words = f"{ending.how}" if ending.at is At.IN_BODY else f"{ending.how} {ending.at.replace('_', ' ')}"
    if ending.complete or ending.by is By.CLIENT:
        words = "complete" if ending.complete else "the client disconnected"
    return {
        "is": "end", "n": seen.number, "complete": ending.complete, "how": str(ending.how), "words": words,
        "size": exchange.size, "seconds": exchange.seconds, "more": seen.more_events,
        "planned": ", ".join(planned), "error": seen.error,
    }  # fmt: skip


def describe_all(seen: SeenExchange) -> Iterator[Change]:
    """Everything that is known of an exchange, for a page that comes late."""
    yield describe_request(seen)
    if seen.status is not None:
        yield describe_head(seen)
    for number in range(len(seen.events)):
        yield describe_event(seen, number)
    if seen.ending is not None:
        yield describe_end(seen)
    if seen.findings:
        yield {"is": "findings", "n": seen.number, "findings": list(seen.findings)}
