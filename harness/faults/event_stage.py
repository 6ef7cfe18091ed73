"""Stages that work on the events of a stream: the bases of the faults that change events.

Layer 1. Knows events and the `StreamProtocol` of their API; must not know services. Each event is forwarded as one
piece, as soon as it is complete.
"""

from __future__ import annotations

from dataclasses import replace

from harness.faults.splitting import Event, Splitter
from harness.wire import At, Chunk, Ending, Pause, Piece, StreamProtocol


class EventStage:
    """A stage that works on whole events; a subclass decides what is sent in place of each."""

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._missing = 0  # bytes that the last chunk declared but did not contain
        self.fired = False

    def begin(self) -> list[Piece]:
        """Pieces to send before the first byte."""
        return []

    def event(self, event: Event) -> list[Piece]:
        """Pieces to send in place of one event."""
        raise NotImplementedError

    def feed(self, piece: Piece) -> list[Piece]:
        """Forward pauses, hold bytes until their event is complete, flush an incomplete event at the ending."""
        if isinstance(piece, Pause):
            return [piece]
        if isinstance(piece, Ending):
            return self._end(piece)
        self._missing = 0 if piece.declared is None else piece.declared - len(piece.data)
        out = self._change(self._splitter.feed(piece.data))
        spilled = self._splitter.spill()
        return [*out, Chunk(spilled)] if spilled else out

    def _change(self, events: list[Event]) -> list[Piece]:
        out: list[Piece] = []
        for event in events:
            out += self.event(event)
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


class Inserter(EventStage):
    """Base of the stages that add something after `after` events (None: after each event)."""

    def __init__(self, after: int | None) -> None:
        super().__init__()
        self._after = after
        self._count = 0

    def event(self, event: Event) -> list[Piece]:
        """The event, followed by the addition if one is due."""
        self._count += 1
        if self._after is not None and self._count != self._after:
            return [Chunk(event.raw)]
        self.fired = True
        return [Chunk(event.raw), Chunk(self.build_addition(event).replace(b"\n", event.newline))]

    def build_addition(self, event: Event | None) -> bytes:
        """The bytes to add after `event` (None: before the first one); their lines end in LF."""
        raise NotImplementedError

    def begin(self) -> list[Piece]:
        """The addition of `after=0`."""
        if self._after != 0:
            return []
        self.fired = True
        return [Chunk(self.build_addition(None))]


class Completion(EventStage):
    """Base of the faults that wait for the event that completes the stream."""

    def __init__(self, protocol: StreamProtocol) -> None:
        super().__init__()
        self._protocol = protocol

    def event(self, event: Event) -> list[Piece]:
        """Forward every event unchanged, except the completing one."""
        payload = event.payload()
        if payload is None or not self._protocol.completes(payload):
            return [Chunk(event.raw)]
        self.fired = True
        return self.completing(event)

    def completing(self, event: Event) -> list[Piece]:
        """Pieces to send in place of the completing event."""
        raise NotImplementedError
