"""A proxy: another server as a service, which blocks.

Knows blocking sockets; must not know faults or recordings. This is the one service that blocks: its carrier,
`WaitingServer`, calls it and pulls the pieces of its bodies on threads. If no more has arrived, a body yields
`Pause(0)` once, so that what did arrive is forwarded, and blocks when it is pulled again.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque

from msgspec.structs import replace

from harness.transport.client.driver import receive
from harness.transport.client.origin import NoConnection, dial, trusting, upstream_origin
from harness.transport.http1.heads import request_bytes, write_fields
from harness.transport.http1.reader import Data, Limits, ResponseHead, ResponseReader
from harness.transport.server.server import LEAVING
from harness.wire import At, By, Chunk, Ending, Headers, How, Pause, Piece, Request, Response
from harness.wire.addresses import readdress, stand_in_url

_OURS = ("host", "content-length", "expect", "accept-encoding")
_HOP_BY_HOP = (
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
)  # fmt: skip
_OF_THE_CONNECTION = ("connection", "keep-alive")
"""Fields about the server's connection to us, which do not concern our client."""
_UPSTREAM_LIMITS = Limits(head_seconds=86_400.0, idle_seconds=86_400.0, head_bytes=1024 * 1024, body_bytes=1 << 60)
"""Wide limits: timing out is up to the client, and the wait ends when it leaves."""


class UpstreamServer:
    """A `Service` that forwards to the server at `target` (`http[s]://host[:port]`), in identity encoding.

    An address of the server in the head of a response becomes the address that the client called. Nothing the
    server does raises: a dropped connection becomes the `Ending` of the body.
    """

    def __init__(self, target: str, *, limits: Limits | None = None, ca_file: str | None = None) -> None:
        self._origin = upstream_origin(target)
        self._tls = trusting(ca_file) if self._origin.scheme == "https" else None
        self._limits = limits or _UPSTREAM_LIMITS

    def __call__(self, request: Request) -> Response:
        """Send, wait for the head, and leave the body for the caller to pull."""
        try:
            sock = dial(self._origin, self._limits, self._tls)
        except NoConnection as none:
            return Response.dead(_pass_on(none.ending))
        body = _Arriving(sock, ResponseReader(request.method, self._limits), self._limits)
        leaving = LEAVING.get()
        if leaving is not None:
            leaving.tell(body.close)
        fields = [("host", self._origin.authority), *request.headers.without(*_OURS, *_HOP_BY_HOP)]
        fields += [("accept-encoding", "identity"), ("connection", "close")]
        body.send(request_bytes(request.method, request.target, write_fields(Headers(fields)), request.body))
        head = body.head()
        if head is None:
            return Response.dead(body.ended or Ending(how=How.FIN, at=At.BEFORE_HEADERS))
        own = head.headers.without(*_OF_THE_CONNECTION)
        headers = readdress(own, self._origin.url, stand_in_url(request))
        return Response(head.status, headers, head.framing, body, head.reason)


class _Arriving:
    """The body of a response that is still arriving; `close` may be called on another thread and ends a wait."""

    def __init__(self, sock: socket.socket, reader: ResponseReader, limits: Limits) -> None:
        self._sock = sock
        self._reader = reader
        self._limits = limits
        self._reading = threading.Lock()
        self._closed = False
        self._ready: deque[Piece] = deque()
        self._flushed = False
        self.ended: Ending | None = None

    def send(self, data: bytes) -> None:
        """Write the request; an error shows when the response is read."""
        with contextlib.suppress(OSError):
            self._sock.settimeout(self._limits.head_seconds)
            self._sock.sendall(data)

    def head(self) -> ResponseHead | None:
        """The response head; None if none came."""
        while self._reader.head is None and self.ended is None:
            self._receive(self._limits.head_seconds, "head_seconds")
        return self._reader.head

    def __iter__(self) -> _Arriving:
        return self

    def __next__(self) -> Piece:
        while not self._ready:
            if self.ended is not None:
                raise StopIteration
            if not self._flushed:
                self._flushed = True
                return Pause(0.0)
            self._receive(self._limits.idle_seconds, "idle_seconds")
        self._flushed = False
        return self._ready.popleft()

    def _receive(self, seconds: float, limit: str) -> None:
        with self._reading:
            events = receive(self._sock, self._reader, until=time.monotonic() + seconds, limit=f"Limits.{limit}")
        if self._closed:
            self._sock.close()
        for event in events:
            if isinstance(event, Data):
                self._ready.append(Chunk(event.data))
            elif isinstance(event, Ending):
                self.ended = _pass_on(event)
                self._ready.append(self.ended)
                self.close()

    def close(self) -> None:
        """Disconnect."""
        self._closed = True
        with contextlib.suppress(OSError, ValueError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if self._reading.acquire(blocking=False):
            self._reading.release()
            self._sock.close()


def _pass_on(ending: Ending) -> Ending:
    """The ending that the client sees.

    If a limit of ours was reached, the connection breaks: only the server may let it stall. The parts of an open
    chunk were forwarded as whole chunks, so the rest of it is a chunk that has not begun.
    """
    if ending.by is By.LIMIT:
        ending = replace(ending, by=By.SERVER, how=How.RST)
    if ending.at is At.IN_CHUNK and ending.declared is not None and ending.sent is not None:
        return replace(ending, declared=max(ending.declared - ending.sent, 1), sent=0)
    return ending
