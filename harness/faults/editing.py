"""Faults that change the events of a stream rather than its bytes: repeated, added, late, with other ids.

Layer 1. Knows events and the `StreamProtocol` of their API; must not know services. Each event leaves as one
piece. An event is held until it is whole, never longer; `replay` also keeps the events it may repeat.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace

from harness.faults.cutting import ending_of
from harness.faults.ids import own_id
from harness.faults.plan import Cut, ErrorEvent, Ids, Late, Ping, Replay, Unknown
from harness.faults.splitting import Event, Splitter
from harness.wire import At, Chunk, Ending, Pause, Piece, StreamProtocol, encode

_PING = b": ping\n\n"
_UNKNOWN_TYPE = "harness.unknown"
_ERROR = ("internal", "This error was put here by a fault plan.")


class EventStage:
    """A stage that sees whole events; a subclass says what becomes of each."""

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._missing = 0  # bytes that the last chunk promised and did not bring
        self.fired = False

    def begin(self) -> list[Piece]:
        """What comes before the first byte."""
        return []

    def event(self, event: Event) -> list[Piece]:
        """What the client gets in place of one event."""
        raise NotImplementedError

    def feed(self, piece: Piece) -> list[Piece]:
        """Pauses pass; bytes wait until their event is whole; an ending brings out what never became one."""
        if isinstance(piece, Pause):
            return [piece]
        if isinstance(piece, Ending):
            return self._end(piece)
        self._missing = 0 if piece.declared is None else piece.declared - len(piece.data)
        out = self._changed(self._splitter.feed(piece.data))
        spilled = self._splitter.spill()
        return [*out, Chunk(spilled)] if spilled else out

    def _changed(self, events: list[Event]) -> list[Piece]:
        out: list[Piece] = []
        for event in events:
            out += self.event(event)
            if out and isinstance(out[-1], Ending):
                break
        return out

    def _end(self, ending: Ending) -> list[Piece]:
        """The pieces before an ending were put together anew, so a torn chunk is torn anew too."""
        events, rest = self._splitter.finish()
        out = self._changed(events)
        if out and isinstance(out[-1], Ending):
            return out
        if self._missing > 0:
            declared = len(rest) + self._missing
            return [*out, Chunk(rest, declared), replace(ending, declared=declared, sent=len(rest))]
        if ending.at is At.IN_CHUNK and (rest or out):
            ending = replace(ending, at=At.IN_BODY, declared=None, sent=None)
        return [*out, Chunk(rest), ending] if rest else [*out, ending]


class Replayer(EventStage):
    """`replay:K+N`, `dup:K`."""

    def __init__(self, fault: Replay) -> None:
        super().__init__()
        self._left = fault.after
        self._last: deque[bytes] = deque(maxlen=fault.count)

    def event(self, event: Event) -> list[Piece]:
        """The event, and after the K-th the last N again."""
        if self._left == 0:
            return [Chunk(event.raw)]
        self._left -= 1
        self._last.append(event.block)
        if self._left:
            return [Chunk(event.raw)]
        self.fired = True
        again = [Chunk(block) for block in self._last]
        self._last.clear()
        return [Chunk(event.raw), *again]


class Inserter(EventStage):
    """What the stages share that add something after `after` events, or after each (None)."""

    def __init__(self, after: int | None) -> None:
        super().__init__()
        self._after = after
        self._count = 0

    def event(self, event: Event) -> list[Piece]:
        """The event, and what is added after it."""
        self._count += 1
        if self._after is not None and self._count != self._after:
            return [Chunk(event.raw)]
        self.fired = True
        return [Chunk(event.raw), Chunk(self.added(event).replace(b"\n", event.newline))]

    def added(self, event: Event | None) -> bytes:
        """What is added after `event`, its lines ending in LF; None: before the first one."""
        raise NotImplementedError

    def begin(self) -> list[Piece]:
        """What `after=0` adds."""
        if self._after != 0:
            return []
        self.fired = True
        return [Chunk(self.added(None))]


class Pinger(Inserter):
    """`ping:K`, `ping:all`."""

    def __init__(self, fault: Ping) -> None:
        super().__init__(fault.after)

    def added(self, event: Event | None) -> bytes:
        """A comment."""
        return _PING


class Stranger(Inserter):
    """`unknown:K`, `unknown:all`; the latter stops at the completion, after which no event is legal."""

    def __init__(self, fault: Unknown, protocol: StreamProtocol) -> None:
        super().__init__(fault.after)
        self._protocol = protocol
        self._over = False

    def begin(self) -> list[Piece]:
        """Nothing: only an event tells how this API names types, so `unknown:0` waits for the first."""
        return []

    def event(self, event: Event) -> list[Piece]:
        """The event, with the stranger before it for `unknown:0`."""
        if self._after is None:
            self._over = self._over or self._protocol.completes(event.payload() or {})
            if self._over or event.frame.data == self._protocol.sentinel:
                return [Chunk(event.raw)]
        if self._after == 0 and not self.fired:
            self.fired = True
            return [Chunk(self.added(event).replace(b"\n", event.newline)), Chunk(event.raw)]
        return super().event(event)

    def added(self, event: Event | None) -> bytes:
        """An event of no known type, which says so wherever its neighbour says its own."""
        fields = ["type"] if event is None else _type_fields(event)
        data = json.dumps(dict.fromkeys(fields, _UNKNOWN_TYPE), separators=(",", ":"))
        named = event is None or event.frame.event is not None
        return encode(_UNKNOWN_TYPE if named else None, data.encode())


def _type_fields(event: Event) -> list[str]:
    """The payload's fields that repeat the `event:` line; where there are none, the field that usually does."""
    name = (event.frame.event or b"").decode("utf-8", "replace")
    payload = event.payload() or {}
    return [field for field, value in payload.items() if value == name] or ["type"]


class Errer(Inserter):
    """`error:K`, `error:K+id`. An id of its own leads a resume to where the real one before it would."""

    def __init__(self, fault: ErrorEvent, protocol: StreamProtocol) -> None:
        super().__init__(fault.after)
        self._protocol = protocol
        self._own_id = fault.own_id
        self._cursor: str | None = None

    def event(self, event: Event) -> list[Piece]:
        """The event; its cursor is remembered."""
        if self._own_id and not self.fired:
            self._cursor = self._protocol.cursor(event.payload() or {}) or self._cursor
        return super().event(event)

    def added(self, event: Event | None) -> bytes:
        """The API's own error event."""
        return self._protocol.error_event(*_ERROR, own_id(self._cursor) if self._own_id else None)


class Identifier(EventStage):
    """`ids:none`, `ids:N`."""

    def __init__(self, fault: Ids, protocol: StreamProtocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._every = fault.every
        self._count = 0

    def event(self, event: Event) -> list[Piece]:
        """The event, without its cursor unless it is one of those that keep it."""
        payload = event.payload()
        if payload is None or self._protocol.cursor(payload) is None:
            return [Chunk(event.raw)]
        self._count += 1
        if self._every is not None and self._count % self._every == 0:
            return [Chunk(event.raw)]
        self.fired = True
        bare = self._protocol.with_cursor(payload, None)
        data = json.dumps(bare, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        name = None if event.frame.event is None else event.frame.event.decode("utf-8", "replace")
        return [Chunk(event.raw[: event.lead] + encode(name, data, newline=event.newline))]


class Completion(EventStage):
    """What the faults share that wait for the event which completes the stream."""

    def __init__(self, protocol: StreamProtocol) -> None:
        super().__init__()
        self._protocol = protocol

    def event(self, event: Event) -> list[Piece]:
        """Any other event as it is."""
        payload = event.payload()
        if payload is None or not self._protocol.completes(payload):
            return [Chunk(event.raw)]
        self.fired = True
        return self.completing(event)

    def completing(self, event: Event) -> list[Piece]:
        """What the client gets in place of the completing event."""
        raise NotImplementedError


class Delayer(Completion):
    """`late:S`."""

    def __init__(self, fault: Late, protocol: StreamProtocol) -> None:
        super().__init__(protocol)
        self._seconds = fault.millis / 1000

    def completing(self, event: Event) -> list[Piece]:
        """The event after a pause."""
        return [Pause(self._seconds), Chunk(event.raw)]


class CompletionCutter(Completion):
    """A cut at `completion`: all events but the completing one arrive."""

    def __init__(self, cut: Cut, protocol: StreamProtocol) -> None:
        super().__init__(protocol)
        self._ending = ending_of(cut)

    def completing(self, event: Event) -> list[Piece]:
        """The comments before the event, and the ending."""
        lead = event.raw[: event.lead]
        return [Chunk(lead), self._ending] if lead else [self._ending]
