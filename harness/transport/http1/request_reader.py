"""Reads requests from the bytes of one connection, one after the other.

Layer 3, sans-IO. Knows what a request must be and which status refuses it; must not know sockets or services.
Clients that keep a connection alive repeat their head byte for byte, so parsed heads are cached by their bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from harness.errors import BadHead, BadRequest
from harness.transport.http1.body_reader import BodyReader
from harness.transport.http1.heads import END_OF_HEAD, RequestHead, parse_request_head
from harness.transport.http1.limits import ServerLimits
from harness.wire import Chunked, Framing, How, Length, Request

_CACHED_HEADS = 1024
_CACHED_HEAD_BYTES = 4096
_TLS_HANDSHAKE = 0x16
"""The first byte of TLS. No method begins with it, and a client that sends it would wait for an answer in vain."""


class Incoming(NamedTuple):
    """A whole request, and its head with what it says about the connection.

    `opened` says whether pages of any origin may send a request with this head.
    """

    request: Request
    head: RequestHead
    opened: bool = False


class HeadCache:
    """Parsed heads by their bytes, shared by the connections of a server; cleared when it is full.

    `opens` says of a request without its body whether pages of any origin may send it.
    """

    __slots__ = ("_opens", "heads")

    def __init__(self, opens: Callable[[Request], bool] | None = None) -> None:
        self.heads: dict[bytes, Incoming] = {}
        self._opens = opens

    def read(self, raw: bytes) -> Incoming:
        """The parsed head as a request without a body; raises `BadRequest`."""
        known = self.heads.get(raw)
        if known is None:
            try:
                head = parse_request_head(raw)
            except BadHead as bad:
                raise BadRequest(400, str(bad)) from None
            _require_host(head)
            request = Request(head.method, head.target, head.headers)
            known = Incoming(request, head, self._opens is not None and self._opens(request))
            if len(raw) <= _CACHED_HEAD_BYTES:
                if len(self.heads) >= _CACHED_HEADS:
                    self.heads.clear()
                self.heads[raw] = known
        return known


def _require_host(head: RequestHead) -> None:
    """Raise BadRequest for a request that does not name one host: RFC 9112, 3.2 lets no server answer it."""
    count = len(head.headers.all("host"))
    if count == 0 and not head.http10:
        raise BadRequest(400, "the request has no Host header, which HTTP/1.1 needs: send Host: 127.0.0.1:PORT")
    if count > 1:
        raise BadRequest(400, f"the request has {count} Host headers: send one")


class RequestReader:
    """Bytes in, requests out; bytes after a request are kept for the next one."""

    __slots__ = ("_body", "_buffer", "_cache", "_data", "_expecting", "_incoming", "_limits", "_scanned")

    def __init__(self, cache: HeadCache, limits: ServerLimits) -> None:
        self._cache = cache
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0
        self._incoming: Incoming | None = None
        self._body: BodyReader | None = None
        self._data = bytearray()
        self._expecting = False

    @property
    def waiting(self) -> int:
        """How many buffered bytes have not been read as a request yet."""
        return len(self._buffer)

    @property
    def begun(self) -> bool:
        """Whether part of a request has arrived."""
        return self._incoming is not None or bool(self._buffer)

    def expects(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends a body; true at most once per request."""
        expecting, self._expecting = self._expecting and not self._data, False
        return expecting

    def at_once(self, data: bytes) -> Incoming | None:
        """The request, if `data` is exactly one whole request with a known head; None if it must be read in steps.

        Nearly every request repeats the head of the one before it; such a request is never copied to the buffer.
        """
        end = data.find(b"\r\n\r\n") + 4
        known = self._cache.heads.get(data[:end])
        if known is None or self._incoming is not None or self._buffer:
            return None
        request, head, opened = known
        if head.length != len(data) - end or head.length > self._limits.body_bytes:
            return None
        if not head.length:
            return known
        return Incoming(Request(request.method, request.target, request.headers, data[end:]), head, opened)

    def feed(self, data: bytes) -> None:
        """Buffer bytes that arrived."""
        self._buffer += data

    def take(self) -> Incoming | None:
        """The next whole request, None until more bytes arrive; raises `BadRequest`."""
        if self._incoming is None and not self._take_head():
            return None
        incoming = self._incoming
        assert incoming is not None
        if incoming.head.length != 0:
            body = self._take_whole_body(incoming.head.length)
            if body is None:
                return None
            request = incoming.request
            incoming = incoming._replace(request=Request(request.method, request.target, request.headers, body))
            self._expecting = False
        self._incoming = None
        return incoming

    def _take_head(self) -> bool:
        buffer = self._buffer
        if not buffer:
            return False
        if buffer[0] in b"\r\n":  # RFC 9112, 2.2: a server ignores empty lines before a request
            buffer[:] = buffer.lstrip(b"\r\n")
        if not buffer:
            return False
        if buffer[0] == _TLS_HANDSHAKE:
            raise BadRequest(
                400, "this port speaks plain HTTP and was sent TLS: write http:// instead of https://"
            )
        end = buffer.find(b"\r\n\r\n", max(self._scanned - 3, 0)) + 4
        if end == 3:
            match = END_OF_HEAD.search(buffer, max(self._scanned - 3, 0))
            end = match.end() if match else 0
        self._scanned = len(buffer)
        if (end or len(buffer)) > self._limits.head_bytes:
            raise BadRequest(431, f"the request's head exceeds {self._limits.head_bytes} bytes")
        if not end:
            return False
        self._scanned = 0
        raw = bytes(buffer[:end])
        del buffer[:end]
        self._incoming = incoming = self._cache.read(raw)
        self._expecting = incoming.head.expects and incoming.head.length != 0
        return True

    def _take_whole_body(self, length: int | None) -> bytes | None:
        """The body once all of it has arrived, else None; `length` is None for a chunked one."""
        buffer, most = self._buffer, self._limits.body_bytes
        if length is not None and length > most:
            raise BadRequest(413, f"the request's body of {length} bytes exceeds {most}")
        if self._body is None and length is not None and length <= len(buffer):
            data = bytes(buffer[:length])  # nearly every request: it came with its head
            del buffer[:length]
            return data
        return self._read_on(Chunked() if length is None else Length(length))

    def _read_on(self, framing: Framing) -> bytes | None:
        limits = self._limits
        if self._body is None:
            self._body = BodyReader(framing, self._buffer, most=limits.body_bytes, most_trailers=limits.head_bytes)
        for part in self._body.advance():
            self._data += part.data
        ending = self._body.ended
        if ending is None:
            return None
        if not ending.complete:
            raise BadRequest(400 if ending.how is How.BAD_HTTP else 413, f"the request's body: {ending.detail}")
        data, self._data, self._body = bytes(self._data), bytearray(), None
        return data
