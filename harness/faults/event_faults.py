"""Faults that change the events of a stream, not its bytes: events are repeated, added, delayed, lose their ids.

Layer 1. One subclass of `EventStage` for each fault; `replay` also keeps the events it may repeat.
"""

from __future__ import annotations

import json
import re
from collections import deque

from msgspec.structs import replace

from harness.faults.cut_faults import ending_of
from harness.faults.splitting import CR, Event, Splitter
from harness.faults.values import (
    BareError,
    Chunks,
    Comment,
    Cut,
    ErrorEvent,
    Garble,
    Glue,
    Ids,
    Late,
    Members,
    Omit,
    Part,
    Ping,
    Replay,
    Silence,
    Spot,
    Trickle,
    Unknown,
)
from harness.wire import COMPLETE, At, Chunk, Ending, How, Pause, Piece, StreamProtocol, encode
from harness.wire.json_value import encode_json

# Stages that work on the events of a stream: the bases of the faults that change events.
# Knows events and the `StreamProtocol` of their API; must not know services. Each event is forwarded as one
# piece, as soon as it is complete.


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


# Cursors that this package makes up, and the real cursor that each of them stands for.
# A made-up cursor contains the real one, so no state is kept and any server can be behind the faults.


_MARK = "harness-fault."


def own_id(cursor: str | None) -> str:
    """A cursor for an event that is added after the one with `cursor` (None: before any)."""
    return _MARK + (cursor or "")


def real_id(cursor: str) -> str | None:
    """The real cursor that a made-up one stands for, None for the start of the stream; a real one unchanged."""
    while cursor.startswith(_MARK):
        cursor = cursor.removeprefix(_MARK)
    return cursor or None


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
        """The bytes that the API writes outside the framing."""
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


# Applies the faults of single frames (see `values`).
# Knows events and the `StreamProtocol` of their API; must not know services.


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


# Changes that a reader of event streams must not notice: other line ends, and other boundaries between pieces.
# Knows bytes and pieces only. Each byte is forwarded as soon as it arrives.


_MOMENT = 0.001
"""Seconds between two pieces of a trickle."""

_LONG = 0.02
"""The same inside a character or a CR LF, so that a reader gets its halves one by one."""

_LONGEST = 0.2
"""The same inside the first characters: a reader on a busy machine gets at least their halves one by one."""

_FIRST = 3
"""How many characters are the first ones."""

_INSIDE = frozenset(bytes([byte]) for byte in (10, *range(0x80, 0xC0)))
"""The bytes that never begin anything."""

_BARE_LF = re.compile(rb"(?<!\r)\n")


class LineEnds:
    """`crlf`: each LF that does not follow a CR becomes CR LF."""

    def __init__(self) -> None:
        self._after_cr = False
        self.fired = False

    def begin(self) -> list[Piece]:
        """Nothing."""
        return []

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece with its line ends changed; a torn chunk lacks as many bytes as before."""
        if not isinstance(piece, Chunk) or not piece.data:
            return [piece]
        data = piece.data
        kept = b""
        if self._after_cr and data.startswith(b"\n"):
            kept, data = b"\n", data[1:]
        self._after_cr = piece.data[-1] == CR
        changed = kept + _BARE_LF.sub(b"\r\n", data)
        self.fired = self.fired or changed != piece.data
        grown = len(changed) - len(piece.data)
        return [Chunk(changed, None if piece.declared is None else piece.declared + grown)]


class Rechunker:
    """`chunks:N`: pieces of N bytes; the last part of each original piece may be shorter.

    A pause follows the first few that end inside a character: a client on a socket, such as Node's `fetch`, would
    otherwise read them together, and never see one that is split.
    """

    def __init__(self, fault: Chunks) -> None:
        self._size = fault.size
        self._split = 0
        self.fired = False

    def begin(self) -> list[Piece]:
        """Nothing."""
        return []

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece in parts; if it is a torn chunk, its last part is torn."""
        found: list[Piece] = []
        for part in self._divide(piece):
            inside = isinstance(part, Chunk) and part.data[:1] in _INSIDE and part.data[:1] != b"\n"
            if found and inside and self._split < _FIRST:
                found.append(Pause(_LONG))
                self._split += 1
            found.append(part)
        return found

    def _divide(self, piece: Piece) -> list[Piece]:
        if isinstance(piece, Pause | Ending):
            return [piece]
        data, size = piece.data, self._size
        if len(data) <= size:
            return [piece]
        self.fired = True
        parts: list[Piece] = [Chunk(data[at : at + size]) for at in range(0, len(data), size)]
        if piece.declared is not None:
            last = data[(len(data) - 1) // size * size :]
            parts[-1] = Chunk(last, piece.declared - len(data) + len(last))
        return parts


class Dripper(Rechunker):
    """`trickle:N`: the same, with a pause between two pieces."""

    def __init__(self, fault: Trickle) -> None:
        super().__init__(Chunks(fault.size))

    def feed(self, piece: Piece) -> list[Piece]:
        """The parts of the piece, and a pause after each; not after the last, which may be torn."""
        parts = self._divide(piece)
        if not isinstance(piece, Chunk):
            return parts
        slow: list[Piece] = []
        for part in parts:
            if slow and isinstance(part, Chunk):
                slow.append(Pause(self._choose_pause(part.data[:1])))
            slow.append(part)
        return slow

    def _choose_pause(self, first: bytes) -> float:
        """The seconds before a part that begins with this byte."""
        if first not in _INSIDE:
            return _MOMENT
        self._split += first != b"\n"
        return _LONGEST if first != b"\n" and self._split <= _FIRST else _LONG


class ShortPromise:
    """Ends a body whose Content-Length declares `size` bytes before all of them are sent."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sent = 0
        self.fired = False

    def begin(self) -> list[Piece]:
        """Nothing."""
        return []

    def feed(self, piece: Piece) -> list[Piece]:
        """The piece, cut so that at least one promised byte is never sent; a complete ending becomes a FIN."""
        if isinstance(piece, Pause):
            return [piece]
        if isinstance(piece, Ending):
            return [self._break_off() if piece.complete else piece]
        data = piece.data[: self._size - 1 - self._sent]
        self._sent += len(data)
        whole = len(data) == len(piece.data)
        return [Chunk(data)] if whole else [Chunk(data), self._break_off()]

    def _break_off(self) -> Ending:
        self.fired = True
        detail = "fault plan: short-length, and the body ended before the place of the cut"
        return Ending(how=How.FIN, declared=self._size, sent=self._sent, detail=detail)
