"""Faults that change the events of a stream, not its bytes: events are repeated, added, delayed, lose their ids.

Layer 1. One subclass of `event_stage` for each fault; `replay` also keeps the events it may repeat.
"""

from __future__ import annotations

import json
from collections import deque

from harness.faults.cursor_codec import own_id
from harness.faults.cut_faults import ending_of
from harness.faults.event_stage import Completion, EventStage, Inserter
from harness.faults.splitting import Event
from harness.faults.values.cuts import Cut, Spot
from harness.faults.values.events import BareError, ErrorEvent, Ids, Late, Ping, Replay, Silence, Unknown
from harness.wire import COMPLETE, Chunk, Pause, Piece, StreamProtocol, encode
from harness.wire.json_value import encode_json

_PING = b": ping\n\n"
_UNKNOWN_TYPE = "harness.unknown"
_ERROR = ("internal", "This error was put here by a fault plan.")


class Replayer(EventStage):
    """`replay:K+N`, `dup:K`."""

    def __init__(self, fault: Replay) -> None:
        super().__init__()
        self._left = fault.after
        self._last: deque[bytes] = deque(maxlen=fault.count)

    def event(self, event: Event) -> list[Piece]:
        """The event; after the K-th one, the last N events again."""
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


class Pinger(Inserter):
    """`ping:K`, `ping:all`."""

    def __init__(self, fault: Ping) -> None:
        super().__init__(fault.after)

    def build_addition(self, event: Event | None) -> bytes:
        """A comment."""
        return _PING


class Stranger(Inserter):
    """`unknown:K`, `unknown:all`; the latter stops at the completion, after which no event is legal."""

    def __init__(self, fault: Unknown, protocol: StreamProtocol) -> None:
        super().__init__(fault.after)
        self._protocol = protocol
        self._over = False

    def begin(self) -> list[Piece]:
        """Nothing: only an event shows how this API names types, so `unknown:0` waits for the first one."""
        return []

    def event(self, event: Event) -> list[Piece]:
        """The event and the unknown one if due, which for `unknown:0` comes before it."""
        if self._after is None:
            self._over = self._over or self._protocol.completes(event.payload() or {})
            if self._over or event.frame.data == self._protocol.sentinel:
                return [Chunk(event.raw)]
        if self._after == 0 and not self.fired:
            self.fired = True
            return [Chunk(self.build_addition(event).replace(b"\n", event.newline)), Chunk(event.raw)]
        return super().event(event)

    def build_addition(self, event: Event | None) -> bytes:
        """An event of an unknown type, which names it wherever `event` names its own."""
        fields = ["type"] if event is None else _find_type_fields(event)
        data = json.dumps(dict.fromkeys(fields, _UNKNOWN_TYPE), separators=(",", ":"))
        named = event is None or event.frame.event is not None
        return encode(_UNKNOWN_TYPE if named else None, data.encode())


def _find_type_fields(event: Event) -> list[str]:
    """The payload's fields that repeat the `event:` line; if there are none, the field that usually does."""
    name = (event.frame.event or b"").decode("utf-8", "replace")
    payload = event.payload() or {}
    return [field for field, value in payload.items() if value == name] or ["type"]


class Errer(Inserter):
    """`error:K`, `error:K+id`. A resume after the error's own id continues after the real id before it."""

    def __init__(self, fault: ErrorEvent, protocol: StreamProtocol) -> None:
        super().__init__(fault.after)
        self._protocol = protocol
        self._own_id = fault.own_id
        self._cursor: str | None = None

    def event(self, event: Event) -> list[Piece]:
        """The event, whose cursor is remembered, followed by the error if it is due."""
        if self._own_id and not self.fired:
            self._cursor = self._protocol.cursor(event.payload() or {}) or self._cursor
        return super().event(event)

    def build_addition(self, event: Event | None) -> bytes:
        """The API's own error event."""
        return self._protocol.error_event(*_ERROR, own_id(self._cursor) if self._own_id else None)


class BareErrer(Inserter):
    """`bare-error:K`, `bare-error:K+refusal`."""

    def __init__(self, fault: BareError, protocol: StreamProtocol) -> None:
        super().__init__(fault.after)
        self._protocol = protocol
        self._refused = fault.refused

    def begin(self) -> list[Piece]:
        """The error and the end, for `bare-error:0`."""
        first = super().begin()
        return [*first, COMPLETE] if first else []

    def event(self, event: Event) -> list[Piece]:
        """The event; after the K-th one, the error and the end."""
        pieces = super().event(event)
        return [*pieces, COMPLETE] if self.fired else pieces

    def build_addition(self, event: Event | None) -> bytes:
        """What the API writes outside the framing."""
        return self._protocol.bare_error(self._refused)


class Identifier(EventStage):
    """`ids:none`, `ids:N`."""

    def __init__(self, fault: Ids, protocol: StreamProtocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._every = fault.every
        self._count = 0

    def event(self, event: Event) -> list[Piece]:
        """The event, with its cursor removed unless it is one of those that keep theirs."""
        payload = event.payload()
        if payload is None or self._protocol.cursor(payload) is None:
            return [Chunk(event.raw)]
        self._count += 1
        if self._every is not None and self._count % self._every == 0:
            return [Chunk(event.raw)]
        self.fired = True
        bare = self._protocol.with_cursor(payload, None)
        data = encode_json(bare, compact=True)
        name = None if event.frame.event is None else event.frame.event.decode("utf-8", "replace")
        return [Chunk(event.raw[: event.lead] + encode(name, data, newline=event.newline))]


class Delayer(Completion):
    """`late:S`."""

    def __init__(self, fault: Late, protocol: StreamProtocol) -> None:
        super().__init__(protocol)
        self._seconds = fault.millis / 1000

    def completing(self, event: Event) -> list[Piece]:
        """The event after a pause."""
        return [Pause(self._seconds), Chunk(event.raw)]


class Silencer(EventStage):
    """`silence:K+S`."""

    def __init__(self, fault: Silence) -> None:
        super().__init__()
        self._left = fault.after
        self._pause = Pause(fault.millis / 1000)

    def begin(self) -> list[Piece]:
        """The pause of `silence:0+S`."""
        self.fired = self._left == 0
        return [self._pause] if self.fired else []

    def event(self, event: Event) -> list[Piece]:
        """The event; after the K-th one a pause."""
        self._left -= 1
        if self._left != 0:
            return [Chunk(event.raw)]
        self.fired = True
        return [Chunk(event.raw), self._pause]


class CompletionCutter(Completion):
    """A cut at `completion`, where all events but the completing one arrive, or at `after-completion`."""

    def __init__(self, cut: Cut, protocol: StreamProtocol) -> None:
        super().__init__(protocol)
        self._ending = ending_of(cut)
        self._delivers = cut.place.spot is Spot.AFTER_COMPLETION

    def completing(self, event: Event) -> list[Piece]:
        """The comments before the event, or all of it, then the ending."""
        if self._delivers:
            return [Chunk(event.raw), self._ending]
        lead = event.raw[: event.lead]
        return [Chunk(lead), self._ending] if lead else [self._ending]
