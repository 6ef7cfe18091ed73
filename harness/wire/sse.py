"""Server-sent events: bytes in, frames out, and back.

Knows the event stream format of the WHATWG HTML standard, section 9.2.6; must not know what a payload means. The
decoder is incremental and bounded, and takes linear time however the bytes are split into pieces.

A block is dispatched at the byte that completes it: the first byte of its blank line's end. If that is a CR and
an LF follows, the LF belongs to no frame. So the frames of a stream, spans included, do not depend on how its
bytes were split into feeds, and no event waits for a byte that it does not need.

There are two code paths with the same result. Real servers write `event: …\ndata: …\n\n` and nothing else, or
`data: …\n\n` and nothing else; one regular expression splits a whole feed of such blocks. Everything else is
decoded block by block. `tests/wire` compares both with a third decoder that reads line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from harness.wire.bodies import object_or_none
from harness.wire.message import STEP


class Frame(NamedTuple):
    """One dispatched event and the span of stream bytes that it came from, blank line included.

    `data` is the joined payload without its final newline, still encoded. `event` and `id` are None when the
    block had no such field (`id` of earlier blocks is not repeated here). `start` and `end` are byte offsets
    from the first byte of the stream, byte order mark included.
    """

    data: bytes
    event: bytes | None
    id: bytes | None
    start: int
    end: int


class StrayBlock(NamedTuple):
    """A block that begins like JSON in place of a field: something wrote it past the framing of the stream.

    Decoders drop it. `raw` is its beginning; `start` and `end` are byte offsets as in `Frame`.
    """

    raw: bytes
    start: int
    end: int


class CutFrame(NamedTuple):
    """The rest of a stream that ended inside a block; it is never dispatched.

    `would_be` is the frame that a blank line would have completed, None when no `data:` line has begun. Its last
    line may be cut.
    """

    raw: bytes
    start: int
    end: int
    would_be: Frame | None


MAX_EVENT = 16 * 1024 * 1024
"""Most bytes of a block; a larger one is dropped and counted instead of dispatched."""

_MARK = b"\xef\xbb\xbf"
_CANONICAL = re.compile(rb"event: (.*)\ndata: (.*)\n\n")
_CANONICAL_EXTRA = len(b"event: \ndata: \n\n")
_UNNAMED = re.compile(rb"(?<![^\n])data: (.*)\n\n")
_UNNAMED_EXTRA = len(b"data: \n\n")
_BLOCK_END = re.compile(rb"\r\r|\n[\r\n]")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_LINE_ENDS = b"\r\n"
_make = tuple.__new__


class Decoder:
    """Takes bytes and returns whole events, in order.

    `oversized` counts the blocks that were dropped because they exceeded `max_event`, `received` the bytes that
    were fed. `stray` is the block that begins like JSON and that no event has followed yet; None if there is none.
    """

    __slots__ = (
        "_any_cr", "_dropping", "_fresh", "_max_event", "_pending", "_scanned", "_start",
        "oversized", "received", "stray",
    )  # fmt: skip

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._pending = bytearray()  # the open block and whatever follows it
        self._start = 0  # offset of pending[0] in the stream
        self._scanned = 0  # no block ends before pending[_scanned + 1]
        self._any_cr = False
        self._fresh = True  # a byte order mark may still come
        self._dropping = False  # the open block outgrew max_event
        self.oversized = 0
        self.received = 0
        self.stray: StrayBlock | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """Take in bytes and return the events that they complete."""
        return self._feed(data) if len(data) <= STEP else [*self.each(data)]

    def each(self, data: bytes) -> Iterator[Frame]:
        """Like `feed`, but yield the events in batches: tiny events become frames many times their size."""
        for at in range(0, len(data), STEP):
            yield from self._feed(data[at : at + STEP])

    def end(self) -> CutFrame | None:
        """End the stream. Return the unfinished rest, which no client may dispatch; None if there is none."""
        self._take_blocks()
        raw = bytes(self._pending)
        if not raw:
            return None
        stop = self._start + len(raw)
        frame = None if self._dropping else self._interpret(_LINE_END.split(raw), self._start, stop)
        if frame is None:
            self._keep_stray(raw, self._start, stop)
        return CutFrame(raw, self._start, stop, frame)

    def _feed(self, data: bytes) -> list[Frame]:
        self.received += len(data)
        pending = self._pending
        pending += data
        if self._fresh and not self._strip_mark():
            return []
        if not self._any_cr and b"\r" in data:
            self._any_cr = True
        if self._any_cr or self._dropping or len(pending) > self._max_event:
            return self._take_blocks()
        end = pending.rfind(b"\n\n", self._scanned)
        if end < 0:
            self._scanned = max(0, len(pending) - 1)
            return []
        return self._take_canonical(end + 2) or self._take_blocks()

    def _strip_mark(self) -> bool:
        """Drop one byte order mark at the very start; False as long as more bytes are needed to tell."""
        pending = self._pending
        if len(pending) < len(_MARK) and _MARK.startswith(pending):
            return False
        self._fresh = False
        if pending.startswith(_MARK):
            del pending[: len(_MARK)]
            self._start = len(_MARK)
        return True

    def _take_canonical(self, size: int) -> list[Frame] | None:
        """Take the first `size` pending bytes as frames if they are canonical blocks; else take nothing: None."""
        frames = []
        start = self._start
        if self._pending.startswith(b"data"):
            for data in _UNNAMED.findall(self._pending, 0, size):
                end = start + len(data) + _UNNAMED_EXTRA
                frames.append(_make(Frame, (data, None, None, start, end)))
                start = end
        else:
            for event, data in _CANONICAL.findall(self._pending, 0, size):
                end = start + len(event) + len(data) + _CANONICAL_EXTRA
                frames.append(_make(Frame, (data, event, None, start, end)))
                start = end
        if start - self._start != size:
            return None
        self._advance(size)
        self.stray = None
        return frames

    def _take_blocks(self) -> list[Frame]:
        """Take everything that is complete as frames, block by block."""
        pending = self._pending
        frames = []
        base, scan = 0, self._scanned
        while True:
            if not (self._dropping and base == 0):
                # Skip any line ends, even the LF of a blank CR LF line: no field begins with one.
                while base < len(pending) and pending[base] in _LINE_ENDS:
                    base += 1
            match = _BLOCK_END.search(pending, max(base, scan))
            if match is None:
                break
            end = scan = match.end()
            frame = self._block(base, end)
            if frame is not None:
                frames.append(frame)
            base = end
        self._advance(base)
        if len(pending) > self._max_event:
            # Discard the open block except for its last byte, with which its end may begin.
            if not self._dropping:
                self._dropping = True
                self.oversized += 1
            self._advance(len(self._pending) - 1)
        return frames

    def _block(self, base: int, end: int) -> Frame | None:
        if self._dropping:
            self._dropping = False
            return None
        if end - base > self._max_event:
            self.oversized += 1
            return None
        block = bytes(memoryview(self._pending)[base:end])
        lines = _LINE_END.split(block) if self._any_cr else block.split(b"\n")
        frame = self._interpret(lines, self._start + base, self._start + end)
        if frame is None:
            self._keep_stray(block, self._start + base, self._start + end)
        else:
            self.stray = None
        return frame

    def _interpret(self, lines: Iterable[bytes], start: int, end: int) -> Frame | None:
        """The frame of a block's lines, None without `data`; comments, `retry` and unknown fields are ignored."""
        data: list[bytes] = []
        event = identity = None
        for line in lines:
            name, _, value = line.partition(b":")
            if value[:1] == b" ":  # one space belongs to the colon; a second one is part of the value
                value = value[1:]
            if name == b"data":
                data.append(value)
            elif name == b"event":  # of several, the last counts
                event = value
            elif name == b"id":  # one with NUL is ignored, and an earlier one of its block stays
                identity = identity if b"\0" in value else value
        return Frame(b"\n".join(data), event, identity, start, end) if data else None

    def _keep_stray(self, block: bytes, start: int, end: int) -> None:
        if block.lstrip()[:1] in (b"{", b"["):
            self.stray = StrayBlock(block[: 64 * 1024], start, end)

    def _advance(self, count: int) -> None:
        """Discard `count` pending bytes, which belong to finished blocks."""
        if count:
            del self._pending[:count]
            self._start += count
        self._scanned = max(0, len(self._pending) - 1)


def encode(
    event: str | None,
    data: bytes,
    *,
    id: str | None = None,  # noqa: A002 the standard's own word
    newline: bytes = b"\n",
) -> bytes:
    """Encode one frame; each line of the payload becomes a `data` field. `event=None` omits the event line.

    Raises ValueError if an event name or id does not fit in one line.
    """
    lines = []
    for name, value in ((b"event", event), (b"id", id)):
        if value is not None:
            field = value.encode()
            if _LINE_END.search(field) or b"\0" in field:
                raise ValueError(
                    f"{name.decode()}={value!r} contains a line end or NUL, which no field may contain"
                )
            lines.append(name + b": " + field)
    lines += [b"data: " + line for line in _LINE_END.split(data)]
    return newline.join((*lines, b"", b""))


def encode_frame(frame: Frame) -> bytes:
    """Encode a frame that was read, in the usual form and without its id."""
    return encode(frame.event.decode() if frame.event is not None else None, frame.data)


def events_in(data: bytes) -> list[dict[str, Any]]:
    """The decoded events in the bytes of a stream; frames that hold no JSON object are left out."""
    return [event for frame in Decoder().feed(data) if (event := object_or_none(frame.data)) is not None]
