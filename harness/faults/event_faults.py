"""The stages of faults: each takes the pieces of a body, one by one, and returns those to send in their place.

Knows events, bytes and the `StreamProtocol` of their API; must not know services. `STAGES` has a row for each
fault of events and of bytes.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from harness.faults import values
from harness.faults.cut_faults import Stage, ending_of
from harness.faults.splitting import CR, Event, Splitter
from harness.wire import COMPLETE, At, Chunk, Ending, How, Pause, Piece, StreamProtocol, encode
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


# The faults that add, repeat, delay or leave out events.


def replay(fault: values.Replay, protocol: StreamProtocol) -> EventStage:
    """`replay:K+N`, `dup:K`: after the K-th event, the last N events again."""
    last: deque[bytes] = deque(maxlen=fault.count)

    def edit(event: Event, number: int) -> Sequence[Piece] | None:
        if number > fault.after:
            return None
        last.append(event.block)
        return [Chunk(event.raw), *map(Chunk, last)] if number == fault.after else None

    return EventStage(edit)


_UNKNOWN_TYPE = "harness.unknown"


def add_unknown(fault: values.Unknown, protocol: StreamProtocol) -> EventStage:
    """`unknown:K`, `unknown:all`; the latter stops at the completion, after which no event is legal.

    The event names its type wherever the one beside it does, which alone shows how this API names types. So
    `unknown:0` waits for the first event, and comes before it.
    """
    over = False

    def edit(event: Event, number: int) -> Sequence[Piece] | None:
        nonlocal over
        payload = event.payload() or {}
        if fault.after is None:
            over = over or protocol.completes(payload)
            if over or event.frame.data == protocol.sentinel:
                return None
        elif number != max(fault.after, 1):
            return None
        name = event.frame.event
        same = [field for field, value in payload.items() if value == (name or b"").decode("utf-8", "replace")]
        data = json.dumps(dict.fromkeys(same or ["type"], _UNKNOWN_TYPE), separators=(",", ":"))
        added = Chunk(encode(None if name is None else _UNKNOWN_TYPE, data.encode(), newline=event.newline))
        return [added, Chunk(event.raw)] if fault.after == 0 else [Chunk(event.raw), added]

    return EventStage(edit)


def add_error(fault: values.ErrorEvent, protocol: StreamProtocol) -> EventStage:
    """`error:K`, `error:K+id`. A resume after the error's own id continues after the real id before it."""
    cursor: str | None = None

    def make(event: Event | None) -> Sequence[Piece]:
        own = own_id(cursor) if fault.own_id else None
        text = protocol.error_event("internal", "This error was put here by a fault plan.", own)
        return [write_like(event, text)]

    added = add_after(fault.after, make)

    def edit(event: Event, number: int) -> Sequence[Piece] | None:
        nonlocal cursor
        if fault.own_id and number <= fault.after:
            cursor = protocol.cursor(event.payload() or {}) or cursor
        return added.edit(event, number)

    return EventStage(edit, added.first)


def remove_ids(fault: values.Ids, protocol: StreamProtocol) -> EventStage:
    """`ids:none`, `ids:N`: the cursor of an event is removed unless it is one of those that keep theirs."""
    with_cursor = 0

    def change(payload: dict[str, Any]) -> dict[str, Any] | None:
        nonlocal with_cursor
        if protocol.cursor(payload) is None:
            return None
        with_cursor += 1
        keeps = fault.every is not None and with_cursor % fault.every == 0
        return None if keeps else protocol.with_cursor(payload, None)

    return edit_payloads(change)


def cut_completion(fault: values.Cut, protocol: StreamProtocol) -> EventStage:
    """A cut at `completion`, where all events but the completing one arrive, or at `after-completion`."""

    def edit(event: Event) -> Sequence[Piece]:
        kept = event.raw if fault.place.spot is values.Spot.AFTER_COMPLETION else event.raw[: event.lead]
        return [*([Chunk(kept)] if kept else []), ending_of(fault)]

    return edit_completion(protocol, edit)


class NewlineOmitter(EventStage):
    """`no-newline`: the last frame lacks the ends of its last lines.

    Only a frame that can be the last one is held back: the sentinel and the completion.
    """

    def __init__(self, protocol: StreamProtocol) -> None:
        super().__init__(self._hold)
        self._protocol = protocol
        self._last = b""

    def _hold(self, event: Event, number: int) -> Sequence[Piece]:
        before = [Chunk(self._last)] if self._last else []
        ends = event.frame.data == self._protocol.sentinel or self._protocol.completes(event.payload() or {})
        self._last = event.raw if ends else b""
        return [*before, *([] if ends else [Chunk(event.raw)])]

    def feed(self, piece: Piece) -> list[Piece]:
        """Before the ending comes what was held back, without its line ends."""
        out = super().feed(piece)
        self.fired = bool(out and isinstance(out[-1], Ending) and self._last)
        if not self.fired:
            return out
        last, self._last = self._last.rstrip(b"\r\n"), b""
        return [*out[:-1], Chunk(last), out[-1]]


def omit(fault: values.Omit, protocol: StreamProtocol) -> EventStage:
    """`no-done`, `no-completion`, `no-newline`."""
    if fault.part is values.Part.NEWLINE:
        return NewlineOmitter(protocol)
    if fault.part is values.Part.COMPLETION:
        return edit_completion(protocol, lambda event: [])
    return EventStage(lambda event, number: [] if event.frame.data == protocol.sentinel else None)


# The faults that change an event itself.


def garble(fault: values.Garble, protocol: StreamProtocol) -> EventStage:
    """`garble:K`: the first half of the data only."""

    def edit(event: Event, number: int) -> Sequence[Piece] | None:
        if number != fault.after + 1 or event.payload() is None:
            return None
        return [rewrite(event, event.frame.data[: len(event.frame.data) // 2])]

    return EventStage(edit)


def glue(fault: values.Glue, protocol: StreamProtocol) -> EventStage:
    """`glue`: the same event in other words: its data first and without a space, among lines that mean nothing."""

    def edit(event: Event, number: int) -> Sequence[Piece]:
        name = event.frame.event
        lines = [b": a comment inside the frame", b"retry: 10"]
        lines += [b"data:" + line for line in event.frame.data.split(b"\n")]
        lines += [] if name is None else [b"event:" + name]
        return [Chunk(event.raw[: event.lead] + event.newline.join((*lines, b"", b"")))]

    return EventStage(edit)


def add_comment(fault: values.Comment, protocol: StreamProtocol) -> EventStage:
    """`comment:K`, `comment:all`: a heartbeat that a proxy puts into a frame that it did not write."""

    def edit(event: Event, number: int) -> Sequence[Piece] | None:
        if fault.after is not None and number != fault.after + 1:
            return None
        return [Chunk(event.raw[: event.lead] + b": heartbeat" + event.newline + event.block)]

    return EventStage(edit)


def reshape(value: Any, fault: values.Reshape) -> Any:
    """A value without the members that `strip:NAME` names, or with empty ones for `empty:NAME`."""
    if isinstance(value, list):
        return [reshape(item, fault) for item in value]
    if not isinstance(value, dict):
        return value
    if fault.edit is values.Edit.STRIP:
        return {key: reshape(item, fault) for key, item in value.items() if key != fault.member}
    emptied = value.get(fault.member)  # of the same kind, or null for what has no empty value
    empty = type(emptied)() if isinstance(emptied, str | list | dict) else None
    return {key: empty if key == fault.member else reshape(item, fault) for key, item in value.items()}


# Changes that a reader of event streams must not notice: other line ends, and other boundaries between pieces.
# Knows bytes and pieces only. Each byte is forwarded as soon as it arrives.


_LONG = 0.02
"""The same inside a character or a CR LF, so that a reader gets its halves one by one."""

_LONGEST = 0.2
"""The same inside the first characters: a reader on a busy machine gets at least their halves one by one."""

_FIRST = 3
"""How many characters are the first ones."""

_INSIDE = frozenset(bytes([byte]) for byte in (10, *range(0x80, 0xC0)))
"""The bytes that never begin anything."""

_BARE_LF = re.compile(rb"(?<!\r)\n")


class LineEnds(Stage):
    """`crlf`: each LF that does not follow a CR becomes CR LF."""

    def __init__(self) -> None:
        self._after_cr = False

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


class Rechunker(Stage):
    """`chunks:N`: pieces of N bytes; the last part of each original piece may be shorter.

    A pause follows the first few that end inside a character: a client on a socket, such as Node's `fetch`, would
    otherwise read them together, and never see one that is split.
    """

    def __init__(self, fault: values.Chunks | values.Trickle) -> None:
        self._size = fault.size
        self._split = 0

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

    def feed(self, piece: Piece) -> list[Piece]:
        """The parts of the piece, and a pause after each; not after the last, which may be torn."""
        parts = self._divide(piece)
        if not isinstance(piece, Chunk):
            return parts
        slow: list[Piece] = []
        for part in parts:
            if slow and isinstance(part, Chunk):
                first, pause = part.data[:1], 0.001
                if first in _INSIDE:
                    self._split += first != b"\n"
                    pause = _LONGEST if first != b"\n" and self._split <= _FIRST else _LONG
                slow.append(Pause(pause))
            slow.append(part)
        return slow


class ShortPromise(Stage):
    """Ends a body whose Content-Length declares `size` bytes before all of them are sent."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sent = 0

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


STAGES: dict[type, Callable[[Any, StreamProtocol], Stage]] = {
    values.Replay: replay,
    values.Ping: lambda fault, protocol: add_after(fault.after, lambda event: [write_like(event, b": ping\n\n")]),
    values.Unknown: add_unknown,
    values.ErrorEvent: add_error,
    values.BareError: lambda fault, protocol: add_after(
        fault.after, lambda event: [write_like(event, protocol.bare_error(fault.refused)), COMPLETE]
    ),
    values.Raw: lambda fault, protocol: add_after(
        fault.after, lambda event: [Chunk(fault.text.encode("utf-8", "surrogatepass")), COMPLETE]
    ),
    values.Ids: remove_ids,
    values.Late: lambda fault, protocol: edit_completion(
        protocol, lambda event: [Pause(fault.millis / 1000), Chunk(event.raw)]
    ),
    values.Silence: lambda fault, protocol: add_after(fault.after, lambda event: [Pause(fault.millis / 1000)]),
    values.Omit: omit,
    values.Garble: garble,
    values.Glue: glue,
    values.Members: lambda fault, protocol: edit_payloads(
        lambda payload: {**payload, "harness_unknown": {"nested": [1, None, "text"]}}
    ),
    values.Comment: add_comment,
    values.Reshape: lambda fault, protocol: edit_payloads(lambda payload: reshape(payload, fault)),
    values.Crlf: lambda fault, protocol: LineEnds(),
    values.Chunks: lambda fault, protocol: Rechunker(fault),
    values.Trickle: lambda fault, protocol: Dripper(fault),
}
"""The stage of each fault of events and of bytes."""
