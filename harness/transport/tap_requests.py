"""Requests that pass through: followed byte by byte, sent on as they came but for the name of the host.

Layer 3, sans-IO. Knows request heads and bodies; must not know sockets or responses. Nothing is held back but a
head, which cannot be sent on before its Host field was seen.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

from harness.transport.body_reader import BodyReader
from harness.transport.heads import END_OF_HEAD, BadHead, RequestHead, parse_request_head
from harness.wire import Chunked, Length, Request

HEAD_BYTES = 256 * 1024
BODY_BYTES = 64 * 1024 * 1024
"""A request whose body holds more passes like any other but is not recorded."""

_HOST = re.compile(rb"(?im)^(host:)[^\r\n]*")
_ENCODING = re.compile(rb"(?im)^accept-encoding:[^\r\n]*\r?\n")


@dataclass(slots=True, eq=False)
class Asked:
    """One request: known from its head on, `sent` (the moment it was whole) once its body passed as well."""

    head: RequestHead
    began: float
    body: bytearray = field(default_factory=bytearray)
    sent: float | None = None

    @property
    def request(self) -> Request:
        """What has passed of it so far."""
        return Request(self.head.method, self.head.target, self.head.headers, bytes(self.body))


@lru_cache(maxsize=128)
def _rewritten(raw: bytes, authority: str, encoding: str | None) -> tuple[bytes, RequestHead]:
    """The head that goes upstream, every other byte untouched; raises `BadHead`."""
    head = _HOST.sub(rb"\1 " + authority.encode("ascii"), raw)
    if encoding is not None:
        first, end, rest = head.partition(b"\n")
        field_line = b"accept-encoding: " + encoding.encode("ascii") + b"\r\n"
        head = first + end + field_line + _ENCODING.sub(b"", rest)
    return head, parse_request_head(head)


class RequestFollower:
    """Bytes of one connection in, the bytes that go upstream out; what was asked gathers in `asked`.

    `lost` is set, to a reason, where the bytes can no longer be told apart as requests: from there on everything
    passes as it is.
    """

    def __init__(self, authority: str, *, encoding: str | None = None) -> None:
        self._authority = authority
        self._encoding = encoding
        self._buffer = bytearray()
        self._body: BodyReader | None = None
        self.asked: deque[Asked] = deque()
        self.lost = ""
        self._now = 0.0

    @property
    def _astray(self) -> bool:
        return bool(self.lost)

    def feed(self, data: bytes, now: float) -> bytes:
        """What these bytes let go upstream."""
        if self.lost:
            return data
        self._now = now
        self._buffer += data
        out: list[bytes] = []
        while self._buffer:
            if not (self._pass_head(out) if self._body is None else self._pass_body(self._body, out)):
                break
        if self._astray:
            out.append(bytes(self._buffer))
            self._buffer.clear()
        return b"".join(out)

    def _pass_head(self, out: list[bytes]) -> bool:
        """Send one head on; whether there was one."""
        end = END_OF_HEAD.search(self._buffer)
        if end is None:
            if len(self._buffer) > HEAD_BYTES:
                self.lost = f"a request head exceeds {HEAD_BYTES} bytes"
            return False
        raw = bytes(self._buffer[: end.end()])
        try:
            rewritten, head = _rewritten(raw, self._authority, self._encoding)
        except BadHead as bad:
            self.lost = str(bad)
            return False
        del self._buffer[: len(raw)]
        out.append(rewritten)
        self._begin(Asked(head, self._now))
        return True

    def _begin(self, asked: Asked) -> None:
        length = asked.head.length
        self.asked.append(asked)
        if length == 0:
            asked.sent = self._now
            return
        framing = Chunked() if length is None else Length(length)
        self._body = BodyReader(framing, self._buffer, most=BODY_BYTES, most_trailers=HEAD_BYTES)

    def _pass_body(self, body: BodyReader, out: list[bytes]) -> bool:
        """Send on what belongs to the body; whether it ended."""
        raw = bytes(self._buffer)
        asked = self.asked[-1]
        for part in body.advance():
            asked.body += part.data
        out.append(raw[: len(raw) - len(self._buffer)])
        if body.ended is None:
            return False
        if not body.ended.complete:
            self.lost = f"a request body: {body.ended.detail}"
            self.asked.remove(asked)
            return False
        asked.sent = self._now
        self._body = None
        return True
