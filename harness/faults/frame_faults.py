"""Applies the faults of single frames (`values.frames`).

Layer 1. Knows events and the `StreamProtocol` of their API; must not know services.
"""

from __future__ import annotations

from harness.faults.event_stage import Completion, EventStage
from harness.faults.splitting import Event
from harness.faults.values.frames import Comment, Garble, Glue, Members, Omit, Part
from harness.wire import Chunk, Ending, Piece, StreamProtocol, encode
from harness.wire.json_value import encode_json

_MEMBER = "harness_unknown"
_RETRY = b"retry: 10"
_COMMENT = b": a comment inside the frame"
_HEARTBEAT = b": heartbeat"


class Garbler(EventStage):
    """`garble:K`."""

    def __init__(self, fault: Garble) -> None:
        super().__init__()
        self._left = fault.after

    def event(self, event: Event) -> list[Piece]:
        """The event; the one that is due with the first half of its data only."""
        self._left -= 1
        if self._left != -1 or event.payload() is None:
            return [Chunk(event.raw)]
        self.fired = True
        return [rewrite(event, event.frame.data[: len(event.frame.data) // 2])]


class SentinelOmitter(EventStage):
    """`no-done`."""

    def __init__(self, protocol: StreamProtocol) -> None:
        super().__init__()
        self._sentinel = protocol.sentinel

    def event(self, event: Event) -> list[Piece]:
        """The event, unless it is the final frame."""
        if event.frame.data != self._sentinel:
            return [Chunk(event.raw)]
        self.fired = True
        return []


class CompletionOmitter(Completion):
    """`no-completion`."""

    def completing(self, event: Event) -> list[Piece]:
        """Nothing."""
        return []


class Gluer(EventStage):
    """`glue`."""

    def event(self, event: Event) -> list[Piece]:
        """The same event in other words: its data first and without a space, among lines that mean nothing."""
        self.fired = True
        name = event.frame.event
        lines = [_COMMENT, _RETRY, *(b"data:" + line for line in event.frame.data.split(b"\n"))]
        lines += [] if name is None else [b"event:" + name]
        return [Chunk(event.raw[: event.lead] + event.newline.join((*lines, b"", b"")))]


class Adder(EventStage):
    """`members`."""

    def event(self, event: Event) -> list[Piece]:
        """The event with one more member."""
        payload = event.payload()
        if payload is None:
            return [Chunk(event.raw)]
        self.fired = True
        more = {**payload, _MEMBER: {"nested": [1, None, "text"]}}
        return [rewrite(event, encode_json(more, compact=True))]


class Commenter(EventStage):
    """`comment:K`, `comment:all`: a heartbeat that a proxy puts into a frame that it did not write."""

    def __init__(self, fault: Comment) -> None:
        super().__init__()
        self._after = fault.after
        self._count = 0

    def event(self, event: Event) -> list[Piece]:
        """The event; the one that is due with a comment as its first line."""
        self._count += 1
        if self._after is not None and self._count != self._after + 1:
            return [Chunk(event.raw)]
        self.fired = True
        return [Chunk(event.raw[: event.lead] + _HEARTBEAT + event.newline + event.block)]


class NewlineOmitter(EventStage):
    """`no-newline`: the last frame lacks the ends of its last lines.

    Only a frame that can be the last one is held back: the sentinel and the completion.
    """

    def __init__(self, protocol: StreamProtocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._last = b""

    def event(self, event: Event) -> list[Piece]:
        """The event, unless it may be the last one."""
        before = [Chunk(self._last)] if self._last else []
        ends = event.frame.data == self._protocol.sentinel or self._protocol.completes(event.payload() or {})
        self._last = event.raw if ends else b""
        return [*before, *([] if ends else [Chunk(event.raw)])]

    def feed(self, piece: Piece) -> list[Piece]:
        """Before the ending comes what was held back, without its line ends."""
        out = super().feed(piece)
        if not (out and isinstance(out[-1], Ending) and self._last):
            return out
        self.fired = True
        last, self._last = self._last.rstrip(b"\r\n"), b""
        return [*out[:-1], Chunk(last), out[-1]]


def rewrite(event: Event, data: bytes) -> Chunk:
    """The frame of an event with other data."""
    name = None if event.frame.event is None else event.frame.event.decode("utf-8", "replace")
    return Chunk(event.raw[: event.lead] + encode(name, data, newline=event.newline))


def frame_stage(fault: Garble | Omit | Glue | Members | Comment, protocol: StreamProtocol) -> EventStage:
    """The stage that applies one of these faults."""
    match fault:
        case Garble():
            return Garbler(fault)
        case Comment():
            return Commenter(fault)
        case Omit(Part.SENTINEL):
            return SentinelOmitter(protocol)
        case Omit(Part.NEWLINE):
            return NewlineOmitter(protocol)
        case Omit():
            return CompletionOmitter(protocol)
        case Glue():
            return Gluer()
        case Members():
            return Adder()
