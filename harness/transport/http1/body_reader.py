"""Reads a message body from bytes as they arrive, according to its framing (RFC 9112, sections 6 and 7).

Layer 3, sans-IO: bytes in, values out; requests and responses share it. Knows framings and how they break; must
not know heads, sockets, content codings or what the body means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from harness.wire import COMPLETE, At, By, Chunked, Ending, Framing, How, Length

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_SIZE_LINE_BYTES = 4096


def has_no_last_chunk(data: bytes) -> bool:
    """Whether `data` cannot hold the last-chunk line: no line, the first included, begins with 0."""
    return not data.startswith(b"0") and b"\n0" not in data


class Data(NamedTuple):
    """Some body bytes, in order of arrival.

    `declared` is the size of the HTTP chunk that they belong to, None with any other framing; `ends_chunk` says
    that the chunk ends with them. A chunk that arrives in several reads gives several `Data`.
    """

    data: bytes
    declared: int | None = None
    ends_chunk: bool = True


class BodyReader:
    """Takes the bytes of one body from the front of `buffer`, which its owner fills.

    `advance` returns what is new; once `ended` is set it takes nothing more. `most` bounds the body's bytes,
    `most_trailers` the bytes after the last chunk.
    """

    def __init__(self, framing: Framing, buffer: bytearray, *, most: int, most_trailers: int) -> None:
        self._framing = framing
        self._buffer = buffer
        self._most = most
        self._most_trailers = most_trailers
        self._trailer_bytes = 0
        self._last_chunk_bytes = 0
        self._sent = 0
        self._open: int | None = None
        self._left = 0
        self._state: Callable[[list[Data]], bool] = self._until_close
        self.ended: Ending | None = None
        if isinstance(framing, Chunked):
            self._state = self._size_line
        elif isinstance(framing, Length):
            self._state = self._counted
            self._left = framing.size
            if framing.size == 0:
                self.ended = COMPLETE

    def advance(self) -> list[Data]:
        """Parse what the buffer holds; sets `ended` if the body ends or breaks there."""
        found: list[Data] = []
        while self.ended is None and self._state(found):
            pass
        return found

    def outlasts(self, data: bytes) -> bool:
        """Whether more is sure to follow these bytes; False if that cannot be told without parsing them."""
        if isinstance(self._framing, Chunked):
            return not self._buffer and self._state != self._trailers and has_no_last_chunk(data)
        return not isinstance(self._framing, Length) or len(data) < self._left

    @property
    def ending_bytes(self) -> int:
        """How many bytes, the latest ones, end the body or may turn out to: the last chunk, as far as it has come.

        Clients differ in how much of it they wait for. Of a body that states its length it is the last byte.
        """
        if isinstance(self._framing, Length):
            return 1 if self.ended is not None and self.ended.complete else 0
        if self._last_chunk_bytes:
            unread = 0 if self.ended is not None else len(self._buffer)
            return self._last_chunk_bytes + self._trailer_bytes + unread
        begun = self._state == self._size_line and self._buffer.startswith(b"0")
        return len(self._buffer) if begun and self.ended is None else 0

    def place(self, how: How, by: By, detail: str = "") -> Ending:
        """The ending of a body that stops here for the given reason."""
        if isinstance(self._framing, Length):
            return Ending(by, how, At.IN_BODY, self._framing.size, self._sent, detail)
        if self._open is not None:
            return Ending(by, how, At.IN_CHUNK, self._open, self._open - self._left, detail)
        if isinstance(self._framing, Chunked) and self._buffer and how is not How.BAD_HTTP:
            return Ending(by, how, At.IN_CHUNK, None, 0, detail)
        return Ending(by, how, At.IN_BODY, detail=detail)

    def _bad(self, problem: str) -> bool:
        self.ended = self.place(How.BAD_HTTP, By.SERVER, problem)
        return False

    def _refuse(self, problem: str) -> bool:
        self.ended = self.place(How.FIN, By.LIMIT, problem)
        return False

    def _complete(self) -> bool:
        self.ended = COMPLETE
        return False

    def _take(self, most: int) -> bytes:
        buffer = self._buffer
        data = bytes(buffer) if most >= len(buffer) else bytes(memoryview(buffer)[:most])
        del buffer[: len(data)]
        self._sent += len(data)
        return data

    def _flooded(self) -> bool:
        return self._sent > self._most and not self._refuse(f"body exceeds {self._most} bytes (Limits.body_bytes)")

    def _until_close(self, found: list[Data]) -> bool:
        if self._buffer:
            found.append(Data(self._take(len(self._buffer))))
            self._flooded()
        return False

    def _counted(self, found: list[Data]) -> bool:
        if self._buffer:
            data = self._take(self._left)
            self._left -= len(data)
            found.append(Data(data))
            if not self._flooded() and not self._left:
                self._complete()
        return False

    def _size_line(self, found: list[Data]) -> bool:
        end = self._buffer.find(b"\n", 0, _SIZE_LINE_BYTES) + 1
        if not end:
            too_long = len(self._buffer) >= _SIZE_LINE_BYTES
            return too_long and self._bad(f"chunk-size line exceeds {_SIZE_LINE_BYTES} bytes")
        line = bytes(self._buffer[:end])
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            return self._bad(f"{line[:40]!r} is not a chunk-size line")
        del self._buffer[:end]
        self._open = self._left = int(match[1], 16)
        self._last_chunk_bytes = 0 if self._open else end
        self._state = self._chunk if self._open else self._trailers
        return True

    def _chunk(self, found: list[Data]) -> bool:
        if self._left:
            if not self._buffer:
                return False
            data = self._take(self._left)
            self._left -= len(data)
            found.append(Data(data, self._open, self._left == 0))
            if self._flooded():
                return False
        return not self._left and self._chunk_end()

    def _chunk_end(self) -> bool:
        start = bytes(self._buffer[:2])
        if start in {b"", b"\r"}:
            return False
        if start != b"\r\n" and start[:1] != b"\n":
            return self._bad(f"a chunk of {self._open} bytes is followed by {start!r} instead of a line end")
        del self._buffer[: 2 if start == b"\r\n" else 1]
        self._open = None
        self._state = self._size_line
        return True

    def _trailers(self, found: list[Data]) -> bool:
        end = self._buffer.find(b"\n") + 1
        if self._trailer_bytes + (end or len(self._buffer)) > self._most_trailers:
            return self._refuse(f"trailers exceed {self._most_trailers} bytes (Limits.head_bytes)")
        if not end:
            return False
        last = bytes(self._buffer[:end]) in (b"\n", b"\r\n")
        del self._buffer[:end]
        self._trailer_bytes += end
        return self._complete() if last else True
