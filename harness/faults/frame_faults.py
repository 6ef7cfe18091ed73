"""Applies the faults of single frames (`frame_values`).

Layer 1. Knows events and the `StreamProtocol` of their API; must not know services.
"""

from __future__ import annotations

import json

from harness.faults.event_faults import Completion, EventStage
from harness.faults.frame_values import Garble, Glue, Members, Omit, Part
from harness.faults.splitting import Event
from harness.wire import Chunk, Piece, StreamProtocol, encode

_MEMBER = "harness_unknown"
_RETRY = b"retry: 10"
_COMMENT = b": a comment inside the frame"


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
        return [_rewrite(event, event.frame.data[: len(event.frame.data) // 2])]


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
        return [_rewrite(event, json.dumps(more, ensure_ascii=False, separators=(",", ":")).encode())]


def _rewrite(event: Event, data: bytes) -> Chunk:
    name = None if event.frame.event is None else event.frame.event.decode("utf-8", "replace")
    return Chunk(event.raw[: event.lead] + encode(name, data, newline=event.newline))


def frame_stage(fault: Garble | Omit | Glue | Members, protocol: StreamProtocol) -> EventStage:
    """The stage that applies one of these faults."""
    match fault:
        case Garble():
            return Garbler(fault)
        case Omit(Part.SENTINEL):
            return SentinelOmitter(protocol)
        case Omit():
            return CompletionOmitter(protocol)
        case Glue():
            return Gluer()
        case Members():
            return Adder()
