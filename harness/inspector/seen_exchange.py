"""One exchange as a server saw it pass: what is known of it so far.

Layer 6. Takes an answer apart as far as bytes and the protocol of an API say; must not know who keeps it, or how
many others are kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

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
from harness.wire.coding import CODINGS, Inflater, coding_of
from harness.wire.message import EVENT_STREAM
from harness.wire.pieces import At


class Keeper(Protocol):
    """Who keeps exchanges, and notes what goes out."""

    def note_head(self, seen: SeenExchange, status: int, headers: Headers, framing: Framing) -> None:
        """The head of an answer goes out."""

    def note(self, seen: SeenExchange, what: Chunk | Ending) -> None:
        """Bytes of an answer go out, or it has ended."""


class SeenEvent(NamedTuple):
    """One event of a stream: its kind, its span in the body, when it came, and the cursor it carries."""

    name: str
    look: str
    start: int
    end: int
    moment: float
    cursor: str | None


class SeenExchange:
    """One exchange under observation, an `AnswerObserver`. The lock of its `keeper` guards it.

    `after` is the number of the exchange whose stream it resumes, and `column` the place of its first event in
    the whole stream. `run` is the id of the run it is about. `suffered` is what a fault plan did to it.
    """

    def __init__(self, keeper: Keeper, number: int, request: Request, began: float) -> None:
        self.number = number
        self.request = request
        self.began = began
        self.order: RunOrder | None = None
        self.run = ""
        self.cursor: str | None = None
        self.after: int | None = None
        self.column = 0
        self.status: int | None = None
        self.is_stream = False
        self.events: list[SeenEvent] = []
        self.more_events = 0
        self.ending: Ending | None = None
        self.exchange: Exchange | None = None
        self.findings: tuple[dict[str, Any], ...] = ()
        self.suffered: Suffered | None = None
        self.error = ""
        self.recorder = ExchangeBuilder(request)
        self.decoder = Decoder()
        self.inflater: Inflater | None = None
        self.size = len(request.body) + len(request.target)
        self.unread: deque[Any] = deque()  # a moment, what went out, the next moment, …
        self.forgotten = self.judged = False
        self._keeper = keeper

    def note_head(self, status: int, headers: Headers, framing: Framing) -> None:
        self._keeper.note_head(self, status, headers, framing)

    def note_chunk(self, chunk: Chunk) -> None:
        self._keeper.note(self, chunk)

    def note_end(self, ending: Ending) -> None:
        self._keeper.note(self, ending)

    def find_column_after(self, cursor: str) -> int | None:
        """The column after the event with this cursor; None if there was no such event."""
        at = next((at for at, event in enumerate(self.events) if event.cursor == cursor), None)
        return None if at is None else self.column + at + 1

    def take_head(self, status: int, headers: Headers, framing: Framing) -> None:
        """Record the head of the answer."""
        coding = coding_of(headers)
        if coding in CODINGS:  # only a tap sees answers as they were coded
            self.inflater = Inflater(coding)
            headers = headers.without("content-encoding", "content-length")
        self.recorder.head(status, headers, framing)
        self.status = status
        self.is_stream = headers.media_type() == EVENT_STREAM

    def take_chunk(self, chunk: Chunk, moment: float) -> tuple[list[Frame], int]:
        """Record a piece of the body; return the frames that it completes, and how many bytes are kept of it."""
        data = chunk.data
        if self.inflater is not None:
            chunk = Chunk(self._inflate(self.inflater, data))
        kept = min(len(chunk.data), max(0, KEPT_BYTES - self.recorder.size))
        self.recorder.chunk(chunk, moment - self.began)
        self.size += kept
        return self.decoder.feed(chunk.data) if self.is_stream else [], kept

    def take_event(
        self, frame: Frame, value: Mapping[str, Any] | None, protocol: StreamProtocol, moment: float
    ) -> None:
        """Record an event of the stream; `value` is None if it is not JSON."""
        if value is None:
            is_end = frame.data == protocol.sentinel
            name, look, cursor = ("end of stream", "done", None) if is_end else ("not JSON", "odd", None)
        else:
            name, cursor = protocol.name_event(value), protocol.cursor(value)
            is_edge = protocol.completes(value) or not (self.events or self.column or self.cursor)
            is_error = protocol.is_error(value)
            look = "error" if is_error else "edge" if is_edge else "step"
            if look == "step" and protocol.is_fragment(value):
                look = "delta"
        self.events.append(SeenEvent(name, look, frame.start, frame.end, moment, cursor))

    def _inflate(self, inflater: Inflater, data: bytes) -> bytes:
        """The decoded bytes; what cannot be decoded, or is more than is kept, is left out."""
        if self.recorder.size > KEPT_BYTES:
            return b""
        try:
            return inflater.feed(data, KEPT_BYTES)
        except ValueError:
            return b""


# What a page is told: one small JSON object for each thing that happened, and the queue it waits in.
# Knows the words between server and page, which `page/model.js` takes; must not know how they travel.


Change: TypeAlias = dict[str, Any]
"""One thing that happened; `is` names its kind."""


class Listener:
    """The changes that one page has not got yet. With more than `most` of them it has lost track: see `take`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[Change] = []
        self._lost = False

    def add(self, change: Change) -> None:
        """Add a change."""
        with self._lock:
            if len(self._waiting) >= self._most:
                self._lost = True
                self._waiting.clear()
            if not self._lost:
                self._waiting.append(change)

    def take(self) -> list[Change] | None:
        """The waiting changes; None if some were lost, so that everything has to be told again."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            lost, self._lost = self._lost, False
        return None if lost else taken


def describe_request(seen: SeenExchange) -> Change:
    """A request came."""
    request, order = seen.request, seen.order
    change: Change = {
        "is": "request",
        "n": seen.number,
        "at": seen.began,
        "method": request.method,
        "target": request.target,
        "run": seen.run,
        "words": order.words if order is not None else "",
        "creates": order is not None,
    }
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
        "size": event.end - event.start, "at": event.moment, "cursor": event.cursor or "",
    }  # fmt: skip


def describe_end(seen: SeenExchange) -> Change:
    """An answer ended; `planned` is what a fault plan did to it, `error` what a refusal says."""
    ending, exchange = seen.ending, seen.exchange
    assert ending is not None
    assert exchange is not None
    planned = [str(fault) for fault in seen.suffered.fired] if seen.suffered is not None else []
    return {
        "is": "end",
        "n": seen.number,
        "complete": ending.complete,
        "how": str(ending.how),
        "words": _name_ending(ending),
        "size": exchange.size,
        "seconds": exchange.seconds,
        "more": seen.more_events,
        "planned": ", ".join(planned),
        "error": seen.error,
    }


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


def _name_ending(ending: Ending) -> str:
    if ending.complete:
        return "complete"
    if ending.by is By.CLIENT:
        return "the client hung up"
    where = "" if ending.at is At.IN_BODY else f" {ending.at.replace('_', ' ')}"
    return f"{ending.how}{where}"
