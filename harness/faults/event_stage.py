"""The stage of faults that work on whole events, and ways to make one: add, change, or act at the completion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from harness.faults.fault import Stage
from harness.faults.splitting import Event, Splitter
from harness.wire import At, Chunk, Ending, Pause, Piece, StreamProtocol, encode
from harness.wire.bodies import encode_json

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
        """The pieces to send before the first byte."""
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
