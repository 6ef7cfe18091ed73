r"""Server-sent events: bytes in, frames out, and back.

Layer 0. Knows the event stream format of the WHATWG HTML standard, section 9.2.6, and nothing of what a payload
means. The decoder is incremental, linear in the bytes whatever the pieces they come in, and bounded.

A block is dispatched at the byte that completes it: the first byte of its blank line's end. Where that is a CR
and a LF follows, the LF belongs to no frame. So the frames of a stream, spans included, do not depend on how
its bytes were cut into feeds, and no event waits for a byte that it does not need.

Two ways lead to the same frames. Real servers write `event: …\ndata: …\n\n` and nothing else, or `data: …\n\n`
and nothing else; a whole feed of such blocks is taken apart by one regular expression. Everything else goes block
by block. `tests/wire` holds both equal to a third decoder that reads line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harness.wire.frame import CutFrame, Frame

MAX_EVENT = 16 * 1024 * 1024
"""Bytes that one block may have before it is dropped and counted instead of dispatched."""

_SLICE = 1024 * 1024
_MARK = b"\xef\xbb\xbf"
_CANONICAL = re.compile(rb"event: (.*)\ndata: (.*)\n\n")
_CANONICAL_EXTRA = len(b"event: \ndata: \n\n")
_UNNAMED = re.compile(rb"data: (.*)\n\n")
_UNNAMED_EXTRA = len(b"data: \n\n")
_BLOCK_END = re.compile(rb"\r\r|\n[\r\n]")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_LINE_ENDS = b"\r\n"
_make = tuple.__new__


class Decoder:
    """Feeds of bytes in, whole events out, in order.

    `oversized` counts the blocks that were dropped because they outgrew `max_event`, `retry` is the last valid
    reconnection time in milliseconds, `received` counts the bytes that came in.
    """

    __slots__ = (
        "_any_cr", "_dropping", "_fresh", "_max_event", "_pending", "_scanned", "_start",
        "oversized", "received", "retry",
    )  # fmt: skip

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        if max_event < 1:
            raise ValueError(f"max_event={max_event!r} must be at least 1: it is the size one event may have")
        self._max_event = max_event
        self._pending = bytearray()  # the open block and whatever follows it
        self._start = 0  # offset of pending[0] in the stream
        self._scanned = 0  # no block ends before pending[_scanned + 1]
        self._any_cr = False
        self._fresh = True  # a byte order mark may still come
        self._dropping = False  # the open block outgrew max_event
        self.oversized = 0
        self.received = 0
        self.retry: int | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """The events that these bytes complete."""
        return self._feed(data) if len(data) <= _SLICE else [*self.each(data)]

    def each(self, data: bytes) -> Iterator[Frame]:
        """The same, never many at once: frames take many times the bytes that tiny events come in."""
        for at in range(0, len(data), _SLICE):
            yield from self._feed(data[at : at + _SLICE])

    def end(self) -> CutFrame | None:
        """What the end of the stream leaves unfinished, which no client may dispatch; None when nothing is."""
        self._blocks()
        raw = bytes(self._pending)
        if not raw:
            return None
        stop = self._start + len(raw)
        frame = None if self._dropping else self._interpret(_LINE_END.split(raw)[:-1], self._start, stop)
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
            return self._blocks()
        end = pending.rfind(b"\n\n", self._scanned)
        if end < 0:
            self._scanned = max(0, len(pending) - 1)
            return []
        return self._canonical(end + 2) or self._blocks()

    def _strip_mark(self) -> bool:
        """Drop one byte order mark at the very start; False while it cannot be told yet."""
        pending = self._pending
        if len(pending) < len(_MARK) and _MARK.startswith(pending):
            return False
        self._fresh = False
        if pending.startswith(_MARK):
            del pending[: len(_MARK)]
            self._start = len(_MARK)
        return True

    def _canonical(self, size: int) -> list[Frame] | None:
        """The frames of so many pending bytes if they are canonical blocks; None, and nothing done, if not."""
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
        return frames

    def _blocks(self) -> list[Frame]:
        """The frames of everything that is complete, one block after the other."""
        pending = self._pending
        frames = []
        base, scan = 0, self._scanned
        while True:
            if not (self._dropping and base == 0):
                base = self._past_blank_lines(base)
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
            self._drop()
        return frames

    def _past_blank_lines(self, at: int) -> int:
        """The LF of a blank line that ended in CR LF is skipped here too: no field can begin with one."""
        while at < len(self._pending) and self._pending[at] in _LINE_ENDS:
            at += 1
        return at

    def _block(self, base: int, end: int) -> Frame | None:
        if self._dropping:
            self._dropping = False
            return None
        if end - base > self._max_event:
            self.oversized += 1
            return None
        block = bytes(memoryview(self._pending)[base:end])
        lines = _LINE_END.split(block) if self._any_cr else block.split(b"\n")
        return self._interpret(lines, self._start + base, self._start + end)

    def _interpret(self, lines: Iterable[bytes], start: int, end: int) -> Frame | None:
        """The frame of a block's lines, None when no `data` is among them; remembers `retry`."""
        data: list[bytes] = []
        event = identity = None
        for line in lines:
            name, _, value = line.partition(b":")
            if value[:1] == b" ":
                value = value[1:]
            if name == b"data":
                data.append(value)
            elif name == b"event":
                event = value
            elif name == b"id":
                identity = identity if b"\0" in value else value
            elif name == b"retry" and value.isdigit() and len(value) < 16:
                self.retry = int(value)
        return Frame(b"\n".join(data), event, identity, start, end) if data else None

    def _advance(self, count: int) -> None:
        """`count` pending bytes belong to finished blocks."""
        if count:
            del self._pending[:count]
            self._start += count
        self._scanned = max(0, len(self._pending) - 1)

    def _drop(self) -> None:
        """Forget the open block but for the byte that its end may begin with."""
        if not self._dropping:
            self._dropping = True
            self.oversized += 1
        self._advance(len(self._pending) - 1)


def encode(
    event: str | None,
    data: bytes,
    *,
    id: str | None = None,  # noqa: A002 the standard's own word
    newline: bytes = b"\n",
) -> bytes:
    """One frame; a payload of several lines becomes as many `data` fields. `event=None` leaves its line out.

    Raises ValueError when a name or id cannot be written in one line.
    """
    lines = []
    for name, value in ((b"event", event), (b"id", id)):
        if value is not None:
            field = value.encode()
            if _LINE_END.search(field) or b"\0" in field:
                raise ValueError(f"{name.decode()}={value!r} holds a line end or NUL, which no field may hold")
            lines.append(name + b": " + field)
    lines += [b"data: " + line for line in _LINE_END.split(data)]
    return newline.join((*lines, b"", b""))
