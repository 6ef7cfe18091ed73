"""The faults of the events of a stream: added, repeated, delayed, left out, or changed.

Each is forwarded as soon as its event is complete (`event_stage`). Events are counted as they reach the fault.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar, Self

from harness.faults.event_stage import (
    Event,
    EventStage,
    add_after,
    edit_completion,
    edit_payloads,
    rewrite,
    write_like,
)
from harness.faults.fault import (
    AfterFault,
    BareFault,
    BodyKind,
    Fault,
    NamedFault,
    Stage,
    Word,
    require_range,
    spell_seconds,
    spell_text,
)
from harness.wire import COMPLETE, Chunk, Ending, Pause, Piece, StreamProtocol, encode

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


# Faults that add something.


class Replay(Fault, frozen=True):
    """`replay:K+N`, `dup:K`: after the K-th event, the last N events again; `count=1` is a duplicate."""

    after: int
    count: int = 1

    def __post_init__(self) -> None:
        require_range("the events before a replay", self.after, least=1)
        # they are kept in memory
        require_range("the events to replay", self.count, least=1, most=min(self.after, 64) + 1)

    @classmethod
    def read(cls, word: Word) -> Self:
        if word.name == "dup":
            return cls(word.number())
        after, count = word.split()
        return cls(after, word.number(count))

    def __str__(self) -> str:
        return f"dup:{self.after}" if self.count == 1 else f"replay:{self.after}+{self.count}"

    def stage(self, body: BodyKind) -> Stage:
        last: deque[bytes] = deque(maxlen=self.count)

        def edit(event: Event, number: int) -> Sequence[Piece] | None:
            if number > self.after:
                return None
            last.append(event.block)
            return [Chunk(event.raw), *map(Chunk, last)] if number == self.after else None

        return EventStage(edit)


class Ping(AfterFault, frozen=True):
    """`ping:K`, `ping:all`: a comment after an event; every reader of event streams skips comments."""

    def stage(self, body: BodyKind) -> Stage:
        return add_after(self.after, lambda event: [write_like(event, b": ping\n\n")])


_UNKNOWN_TYPE = "harness.unknown"


class Unknown(AfterFault, frozen=True):
    """`unknown:K`, `unknown:all`: an event of an unknown type; the latter until the completion, after which no
    event is legal.

    The event names its type wherever the one beside it does, which alone shows how this API names types. So
    `unknown:0` waits for the first event, and comes before it.
    """

    def stage(self, body: BodyKind) -> Stage:
        protocol, over = body.protocol, False

        def edit(event: Event, number: int) -> Sequence[Piece] | None:
            nonlocal over
            payload = event.payload() or {}
            if self.after is None:
                over = over or protocol.completes(payload)
                if over or event.frame.data == protocol.sentinel:
                    return None
            elif number != max(self.after, 1):
                return None
            name = event.frame.event
            same = [field for field, value in payload.items() if value == (name or b"").decode("utf-8", "replace")]
            data = json.dumps(dict.fromkeys(same or ["type"], _UNKNOWN_TYPE), separators=(",", ":"))
            added = Chunk(encode(None if name is None else _UNKNOWN_TYPE, data.encode(), newline=event.newline))
            return [added, Chunk(event.raw)] if self.after == 0 else [Chunk(event.raw), added]

        return EventStage(edit)


class ErrorEvent(AfterFault, frozen=True):
    """`error:K`, `error:K+id`: the API's in-stream error event; the stream goes on. `own_id`: it has a cursor.

    A resume after the error's own id continues after the real id before it.
    """

    after: int
    own_id: bool = False

    @classmethod
    def read(cls, word: Word) -> Self:
        return cls(*word.flagged("id", "gives it its own id"))

    def __str__(self) -> str:
        return f"error:{self.after}" + ("+id" if self.own_id else "")

    def stage(self, body: BodyKind) -> Stage:
        protocol = body.protocol
        cursor: str | None = None

        def make(event: Event | None) -> Sequence[Piece]:
            own = own_id(cursor) if self.own_id else None
            text = protocol.error_event("internal", "This error was put here by a fault plan.", own)
            return [write_like(event, text)]

        added = add_after(self.after, make)

        def edit(event: Event, number: int) -> Sequence[Piece] | None:
            nonlocal cursor
            if self.own_id and number <= self.after:
                cursor = protocol.cursor(event.payload() or {}) or cursor
            return added.edit(event, number)

        return EventStage(edit, added.first)


class BareError(AfterFault, frozen=True):
    """`bare-error:K`: bare JSON outside the framing reports a failure, and the stream ends in order.

    `refused`, `+refusal`: a refusal in one line; otherwise that the service is unavailable, over several lines.
    """

    ends_as: ClassVar[str] = "a bare error"
    after: int
    refused: bool = False

    @classmethod
    def read(cls, word: Word) -> Self:
        return cls(*word.flagged("refusal", "makes it a refusal"))

    def __str__(self) -> str:
        return f"bare-error:{self.after}" + ("+refusal" if self.refused else "")

    def stage(self, body: BodyKind) -> Stage:
        error = body.protocol.bare_error(self.refused)
        return add_after(self.after, lambda event: [write_like(event, error), COMPLETE])


class Raw(Fault, frozen=True):
    """`raw:K+TEXT`: the text comes as it is, outside the framing, and the stream ends in order."""

    ends_as: ClassVar[str] = "a raw end"
    after: int
    text: str

    def __post_init__(self) -> None:
        require_range("raw", self.after)
        if not self.text:
            raise ValueError(f"raw:{self.after} has no text: write for example raw:{self.after}+Bad%20gateway")

    @classmethod
    def read(cls, word: Word) -> Self:
        after, text = word.split()
        return cls(after, word.free_text(text))

    def __str__(self) -> str:
        return f"raw:{self.after}+{spell_text(self.text)}"

    def stage(self, body: BodyKind) -> Stage:
        text = self.text.encode("utf-8", "surrogatepass")
        return add_after(self.after, lambda event: [Chunk(text), COMPLETE])


# Faults that delay events or leave them out.


class Late(Fault, frozen=True):
    """`late:S`: the event that completes the stream is delayed."""

    millis: int

    def __post_init__(self) -> None:
        require_range("the milliseconds of late", self.millis, least=1, most=10**9)

    @classmethod
    def read(cls, word: Word) -> Self:
        return cls(word.millis(word.value, "late:2 or late:0.25"))

    def __str__(self) -> str:
        return f"late:{spell_seconds(self.millis)}"

    def stage(self, body: BodyKind) -> Stage:
        return edit_completion(body.protocol, lambda event: [Pause(self.millis / 1000), Chunk(event.raw)])


class Silence(Fault, frozen=True):
    """`silence:K+S`: after K events nothing comes for so many seconds; then the stream goes on."""

    after: int
    millis: int

    def __post_init__(self) -> None:
        require_range("silence", self.after)
        require_range("the milliseconds of silence", self.millis, least=1, most=10**9)

    @classmethod
    def read(cls, word: Word) -> Self:
        after, seconds = word.split()
        return cls(after, word.millis(seconds, "silence:5+120"))

    def __str__(self) -> str:
        return f"silence:{self.after}+{spell_seconds(self.millis)}"

    def stage(self, body: BodyKind) -> Stage:
        return add_after(self.after, lambda event: [Pause(self.millis / 1000)])


class Part(StrEnum):
    """The part that a stream may lack: a frame, or the line ends of its last one."""

    COMPLETION = "no-completion"
    SENTINEL = "no-done"
    NEWLINE = "no-newline"


class Omit(NamedFault, frozen=True):
    """`no-completion`, `no-done`, `no-newline`: the stream lacks a part, and is otherwise whole."""

    kinds: ClassVar[type[StrEnum]] = Part

    def stage(self, body: BodyKind) -> Stage:
        if self.kind is Part.NEWLINE:
            return NewlineOmitter(body.protocol)
        if self.kind is Part.COMPLETION:
            return edit_completion(body.protocol, lambda event: [])
        sentinel = body.protocol.sentinel
        return EventStage(lambda event, number: [] if event.frame.data == sentinel else None)


class NewlineOmitter(EventStage):
    """The stage of `no-newline`: the last frame lacks the ends of its last lines.

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


# Faults that change an event.


class Ids(Fault, frozen=True):
    """`ids:none`, `ids:N`: only every N-th event keeps its cursor; None: no event does."""

    every: int | None

    def __post_init__(self) -> None:
        if self.every is not None:
            require_range("ids", self.every, least=2)

    @classmethod
    def read(cls, word: Word) -> Self:
        return cls(word.number_or("none"))

    def __str__(self) -> str:
        return f"ids:{'none' if self.every is None else self.every}"

    def stage(self, body: BodyKind) -> Stage:
        protocol, with_cursor = body.protocol, 0

        def change(payload: dict[str, Any]) -> dict[str, Any] | None:
            nonlocal with_cursor
            if protocol.cursor(payload) is None:
                return None
            with_cursor += 1
            keeps = self.every is not None and with_cursor % self.every == 0
            return None if keeps else protocol.with_cursor(payload, None)

        return edit_payloads(change)


class Garble(AfterFault, frozen=True):
    """`garble:K`: the event after K events is a whole frame with the first half of its JSON only."""

    everywhere: ClassVar[bool] = False
    after: int

    def stage(self, body: BodyKind) -> Stage:
        def edit(event: Event, number: int) -> Sequence[Piece] | None:
            if number != self.after + 1 or event.payload() is None:
                return None
            return [rewrite(event, event.frame.data[: len(event.frame.data) // 2])]

        return EventStage(edit)


class Glue(BareFault, frozen=True):
    """`glue`: each frame in other words: data first, in two lines without a space, among lines without meaning."""

    def stage(self, body: BodyKind) -> Stage:
        def edit(event: Event, number: int) -> Sequence[Piece]:
            lines = [b": a comment inside the frame", b"retry: 10"]
            lines += [b"data:" + line for line in event.frame.data.replace(b'{"', b'{\n"', 1).split(b"\n")]
            lines += [] if event.frame.event is None else [b"event:" + event.frame.event]
            return [Chunk(event.raw[: event.lead] + event.newline.join((*lines, b"", b"")))]

        return EventStage(edit)


class Comment(AfterFault, frozen=True):
    """`comment:K`, `comment:all`: a heartbeat that a proxy puts into a frame that it did not write."""

    def stage(self, body: BodyKind) -> Stage:
        def edit(event: Event, number: int) -> Sequence[Piece] | None:
            if self.after is not None and number != self.after + 1:
                return None
            return [Chunk(event.raw[: event.lead] + b": heartbeat" + event.newline + event.block)]

        return EventStage(edit)


class Members(BareFault, frozen=True):
    """`members`: each event has members that no reader knows."""

    def stage(self, body: BodyKind) -> Stage:
        unknown = {"harness_unknown": {"nested": [2**53 + 1, None, "text"]}, "harness_null": None}
        return edit_payloads(lambda payload: {**payload, **unknown})


class Long(BareFault, frozen=True):
    """`long`: each event has such a member that is longer than the lines that some readers expect."""

    def stage(self, body: BodyKind) -> Stage:
        return edit_payloads(lambda payload: {**payload, "harness_unknown": "." * 100_000})
