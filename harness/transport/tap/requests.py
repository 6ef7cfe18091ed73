"""Follow the requests on a connection, and forward them unchanged except for the Host field (and Accept-Encoding).

Layer 3, sans-IO. Knows request heads and bodies; must not know sockets or responses. Only a head is held back,
because it cannot be forwarded before its Host field has arrived.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from harness.errors import BadHead
from harness.transport.http1.body_reader import BodyReader
from harness.transport.http1.heads import END_OF_HEAD, RequestHead, parse_request_head
from harness.transport.http1.limits import RECORDED_BYTES
from harness.wire import Chunked, Length, Request

HEAD_BYTES = 256 * 1024
_UNBOUND = 1 << 60

_HOST = re.compile(rb"(?im)^(host:)[ \t]*([^\r\n]*)")
_ENCODING = re.compile(rb"(?im)^accept-encoding:[^\r\n]*\r?\n")


@dataclass(slots=True, eq=False)
class Asked:
    """One request, created when its head is complete; `sent` is the moment at which its body was complete too.

    `client_sees` is the root of the URL that its client asked. `too_large` means that its body or its answer's
    body exceeds what is recorded.
    """

    head: RequestHead
    client_sees: str = ""
    body: bytearray = field(default_factory=bytearray)
    sent: float | None = None
    too_large: bool = False
    _whole: bytes | None = None

    @property
    def what(self) -> str:
        """The method and path, which are safe to show; the query is left out because it may contain keys."""
        return f"{self.head.method} {self.head.target.partition('?')[0]}"

    @property
    def request(self) -> Request:
        """The request as far as it has passed."""
        body = self._whole
        if body is None:
            body = bytes(self.body)
            if self.sent is not None:  # complete: keep only one copy
                self._whole = body
                self.body.clear()
        return Request(self.head.method, self.head.target, self.head.headers, body)


@lru_cache(maxsize=128)
def _rewrite_head(raw: bytes, authority: str, encoding: str | None) -> tuple[bytes, RequestHead | BadHead]:
    """The head to send upstream, otherwise unchanged byte by byte; and its parsed form or its fault."""
    head = _HOST.sub(rb"\1 " + authority.encode("ascii"), raw)
    if encoding is not None:
        first, end, rest = head.partition(b"\n")
        field_line = b"accept-encoding: " + encoding.encode("ascii") + b"\r\n"
        head = first + end + field_line + _ENCODING.sub(b"", rest)
    try:
        return head, parse_request_head(head)
    except BadHead as bad:
        return head, bad


class RequestFollower:
    """Takes the bytes of one connection and returns those to send upstream; collects the requests in `asked`.

    `lost` is set to a reason if the bytes can no longer be parsed as requests; from then on everything is
    forwarded unchanged. A body of more than `most` bytes is not kept, and `notes` says so. `hear` is called with
    each request when its head is complete.
    """

    def __init__(
        self,
        authority: str,
        *,
        encoding: str | None = None,
        most: int = RECORDED_BYTES,
        hear: Callable[[Request], object] = lambda request: None,
    ) -> None:
        self._authority = authority
        self._encoding = encoding
        self._most = most
        self._hear = hear
        self._buffer = bytearray()
        self._coming: tuple[Asked, BodyReader] | None = None
        self.asked: deque[Asked] = deque()
        self.notes: list[str] = []
        self.lost = ""
        self._now = 0.0

    def feed(self, data: bytes, now: float) -> bytes:
        """Process bytes from the client; return those to send upstream."""
        return data if self.lost else self._follow(data, now)

    def _follow(self, data: bytes, now: float) -> bytes:
        self._now = now
        self._buffer += data
        out: list[bytes] = []
        while self._buffer and (
            self._pass_head(out) if self._coming is None else self._pass_body(*self._coming, out)
        ):
            pass
        if self.lost:
            out.append(bytes(self._buffer))
            self._buffer.clear()
        return b"".join(out)

    def _pass_head(self, out: list[bytes]) -> bool:
        """Forward one head or a blank byte before it; return whether to go on with the buffer."""
        if self._buffer[0] in b"\r\n":  # RFC 9112, 2.2: empty lines before a request are ignored
            out.append(bytes(self._buffer[:1]))
            del self._buffer[:1]
            return True
        end = END_OF_HEAD.search(self._buffer)
        if end is None:
            if len(self._buffer) > HEAD_BYTES:
                self.lost = f"a request head exceeds {HEAD_BYTES} bytes"
            return False
        raw = bytes(self._buffer[: end.end()])
        rewritten, head = _rewrite_head(raw, self._authority, self._encoding)
        del self._buffer[: end.end()]
        out.append(rewritten)
        if isinstance(head, BadHead):
            self.lost = f"a request that is none, and what follows it on its connection: {head}"
            return False
        host = _HOST.search(raw)
        self._begin(Asked(head, f"http://{host[2].strip().decode('latin-1')}" if host else ""))
        return True

    def _begin(self, asked: Asked) -> None:
        length = asked.head.length
        self.asked.append(asked)
        self._hear(asked.request)
        if length == 0:
            asked.sent = self._now
            return
        framing = Chunked() if length is None else Length(length)
        self._coming = asked, BodyReader(framing, self._buffer, most=_UNBOUND, most_trailers=HEAD_BYTES)

    def _pass_body(self, asked: Asked, body: BodyReader, out: list[bytes]) -> bool:
        """Forward what belongs to the body; return whether it is complete and the next request can follow."""
        raw = bytes(self._buffer)
        for part in body.advance():
            if not asked.too_large:
                asked.body += part.data
        if len(asked.body) > self._most:
            asked.too_large = True
            asked.body.clear()
            self.notes.append(f"{asked.what}: its body exceeds {self._most} bytes")
        out.append(raw[: len(raw) - len(self._buffer)])
        if body.ended is None:
            return False
        if body.ended.complete:
            asked.sent = self._now
        else:
            self.lost = f"{asked.what}: {body.ended.detail}"
        self._coming = None
        return not self.lost
