"""The stage of faults that work on whole events, and ways to make one: add, change, or act at the completion.

A `Splitter` gives it the bytes of each event. If an event ends in CR LF, that LF belongs to it here, because no
server ever cuts between the two. So an event that ends in CR is held until the next byte arrives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from msgspec.structs import replace

from harness.faults.fault import Stage
from harness.wire import At, Chunk, Decoder, Ending, Frame, Pause, Piece, StreamProtocol, encode
from harness.wire.bodies import encode_json, object_or_none

CR, LF = 13, 10


class Event(NamedTuple):
    """One whole event. `raw` is every byte since the previous event, `lead` how many of them precede its block."""

    frame: Frame
    raw: bytes
    lead: int

    @property
    def block(self) -> bytes:
        """The event without the comments before it."""
        return self.raw[self.lead :]

    @property
    def newline(self) -> bytes:
        """The line end that this event uses."""
        if self.raw.endswith(b"\r\n"):
            return b"\r\n"
        return b"\r" if self.raw.endswith(b"\r") else b"\n"

    def payload(self) -> dict[str, Any] | None:
        """The payload decoded as a JSON object; None if it is not one."""
        return object_or_none(self.frame.data)


class Splitter:
    """Takes bytes and returns whole events; holds only the bytes of the open event."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._held = bytearray()
        self._base = 0
        self._frames: deque[Frame] = deque()

    def feed(self, data: bytes) -> list[Event]:
        self._held += data
        self._frames.extend(self._decoder.feed(data))
        return self._take_settled(at_end=False)

    def finish(self) -> tuple[list[Event], bytes]:
        """End the stream; return the events still held and the bytes that do not complete one."""
        return self._take_settled(at_end=True), self._take(len(self._held))

    def _take_settled(self, *, at_end: bool) -> list[Event]:
        events, start = [], 0
        while self._frames:
            frame = self._frames[0]
            end = frame.end - self._base
            if self._held[end - 1] == CR:
                if end == len(self._held) and not at_end:
                    break
                end += self._held[end : end + 1] == b"\n"
            events.append(Event(frame, bytes(self._held[start:end]), max(0, frame.start - self._base - start)))
            self._frames.popleft()
            start = end
        self._take(start)
        return events

    def _take(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        self._base += count
        return taken


EventEdit: TypeAlias = Callable[[Event, int], Sequence[Piece] | None]
"""Takes an event and its number, from 1, and returns what to send in its place; None: the event itself."""


class EventStage(Stage):
    """A stage that works on whole events; each is forwarded as one piece, as soon as it is complete.

    `first` is sent before the first byte.
    """

    def __init__(self, edit: EventEdit, first: Sequence[Piece] = ()) -> None:
        self.edit = edit
        self.first = first
        self._count = 0
        self._splitter = Splitter()
        self._missing = 0  # bytes that the last chunk declared but did not contain

    def begin(self) -> list[Piece]:
        self.fired = bool(self.first)
        return [*self.first]

    def feed(self, piece: Piece) -> list[Piece]:
        """Forward pauses, hold bytes until their event is complete, flush an incomplete event at the ending."""
        if isinstance(piece, Pause):
            return [piece]
        if isinstance(piece, Ending):
            return self._end(piece)
        self._missing = 0 if piece.declared is None else piece.declared - len(piece.data)
        return self._change(self._splitter.feed(piece.data))

    def _change(self, events: list[Event]) -> list[Piece]:
        out: list[Piece] = []
        for event in events:
            self._count += 1
            pieces = self.edit(event, self._count)
            if pieces is None:
                out.append(Chunk(event.raw))
                continue
            self.fired = True
            out += pieces
            if out and isinstance(out[-1], Ending):
                break
        return out

    def _end(self, ending: Ending) -> list[Piece]:
        """Flush what is held, then end. The pieces were rebuilt from events, so a torn chunk is rebuilt too."""
        events, rest = self._splitter.finish()
        out = self._change(events)
        if out and isinstance(out[-1], Ending):
            return out
        if self._missing > 0:
            declared = len(rest) + self._missing
            return [*out, Chunk(rest, declared), replace(ending, declared=declared, sent=len(rest))]
        if ending.at is At.IN_CHUNK and (rest or out):
            ending = replace(ending, at=At.IN_BODY, declared=None, sent=None)
        return [*out, Chunk(rest), ending] if rest else [*out, ending]


def add_after(after: int | None, make: Callable[[Event | None], Sequence[Piece]]) -> EventStage:
    """After `after` events (None: after each) add what `make` returns for the event before it (None: for none)."""

    def edit(event: Event, number: int) -> Sequence[Piece] | None:
        return [Chunk(event.raw), *make(event)] if after is None or number == after else None

    return EventStage(edit, make(None) if after == 0 else ())


def write_like(event: Event | None, text: bytes) -> Chunk:
    """Lines that end as those of an event do."""
    return Chunk(text if event is None else text.replace(b"\n", event.newline))


def edit_completion(protocol: StreamProtocol, edit: Callable[[Event], Sequence[Piece]]) -> EventStage:
    """Send something in place of the event that completes the stream."""

    def edit_event(event: Event, number: int) -> Sequence[Piece] | None:
        payload = event.payload()
        return edit(event) if payload is not None and protocol.completes(payload) else None

    return EventStage(edit_event)


def edit_payloads(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> EventStage:
    """Send each event with another payload; `change` returns None, or an equal one, for an event that stays."""

    def edit(event: Event, number: int) -> Sequence[Piece] | None:
        payload = event.payload()
        changed = None if payload is None else change(payload)
        if changed is None or changed == payload:
            return None
        return [rewrite(event, encode_json(changed, compact=True))]

    return EventStage(edit)


def rewrite(event: Event, data: bytes) -> Chunk:
    """The frame of an event with other data."""
    name = None if event.frame.event is None else event.frame.event.decode("utf-8", "replace")
    return Chunk(event.raw[: event.lead] + encode(name, data, newline=event.newline))
