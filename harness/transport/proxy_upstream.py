"""Another server as a service: each request goes out on a connection of its own, the answer comes piece by piece.

Layer 3. Knows blocking sockets; must not know faults or recordings. The one service that waits: a carrier calls it
and pulls the pieces of its bodies on threads. Where nothing more has arrived a body says `Pause(0)` once, so that
what did arrive is sent on, and waits when it is asked again.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import deque
from dataclasses import replace

from harness.transport.body_reader import Data
from harness.transport.dial import NoConnection, dial
from harness.transport.endings import FRAMING_FIELDS
from harness.transport.heads import ResponseHead, write_fields
from harness.transport.limits import Limits
from harness.transport.response_reader import Event, ResponseReader
from harness.transport.tap_dial import upstream_origin, upstream_tls
from harness.wire import At, By, Chunk, Ending, Headers, How, Pause, Piece, Request, Response

_READ_BYTES = 64 * 1024
_OURS = ("host", "connection", "content-length", "transfer-encoding", "expect", "accept-encoding", "keep-alive")
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})


class Upstream:
    """A `Service` that asks the server at `target` (`http[s]://host[:port]`), in identity encoding.

    Nothing the server does raises: a connection that dies is the `Ending` of the body.
    """

    def __init__(self, target: str, *, limits: Limits | None = None, ca_file: str | None = None) -> None:
        self._origin = upstream_origin(target)
        self._tls = upstream_tls(ca_file) if self._origin.scheme == "https" else None
        self._limits = limits or Limits()

    def __call__(self, request: Request) -> Response:
        """Send, wait for the head, leave the body to be pulled."""
        try:
            sock = dial(self._origin, self._limits, self._tls)
        except NoConnection as none:
            return Response.dead(none.ending)
        body = _Arriving(sock, ResponseReader(request.method, self._limits), self._limits)
        body.send(self._wire(request))
        head = body.head()
        if head is None:
            return Response.dead(body.ended or Ending(how=How.FIN, at=At.BEFORE_HEADERS))
        return Response(head.status, head.headers.without(*FRAMING_FIELDS), head.framing, body, head.reason)

    def _wire(self, request: Request) -> bytes:
        fields = [("host", self._origin.authority), *request.headers.without(*_OURS)]
        fields += [("accept-encoding", "identity"), ("connection", "close")]
        if request.body or request.method in _WITH_LENGTH:
            fields.append(("content-length", str(len(request.body))))
        line = f"{request.method} {request.target} HTTP/1.1\r\n".encode("latin-1")
        return line + write_fields(Headers(fields)) + b"\r\n" + request.body


class _Arriving:
    """The body of an answer that is still coming; `close` may come from another thread and ends the waiting."""

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
        """Write the request; what goes wrong shows when the answer is read."""
        with contextlib.suppress(OSError):
            self._sock.settimeout(self._limits.head_seconds)
            self._sock.sendall(data)

    def head(self) -> ResponseHead | None:
        """The response head, None when none came."""
        while self._reader.head is None and self.ended is None:
            self._receive(self._limits.head_seconds)
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
            self._receive(self._limits.idle_seconds)
        self._flushed = False
        return self._ready.popleft()

    def _receive(self, seconds: float) -> None:
        with self._reading:
            events = self._arrived(seconds)
        if self._closed:
            self._sock.close()
        for event in events:
            self._take(event)

    def _arrived(self, seconds: float) -> list[Event]:
        reader = self._reader
        try:
            self._sock.settimeout(seconds)
            data = self._sock.recv(_READ_BYTES)
        except TimeoutError:
            return [reader.stop(How.TIMEOUT, By.LIMIT, f"nothing came for {seconds} s")]
        except ssl.SSLEOFError as error:  # as in `url_reading`: OpenSSL 3 names a FIN, and nothing else
            return [reader.stop(How.FIN if error.reason == "UNEXPECTED_EOF_WHILE_READING" else How.RST)]
        except (OSError, ValueError) as error:
            return [reader.stop(How.RST, detail=str(error))]
        return reader.feed(data) if data else [reader.fin()]

    def _take(self, event: Event) -> None:
        if isinstance(event, Data):
            self._ready.append(Chunk(event.data))
        elif isinstance(event, Ending):
            self.ended = _passed_on(event)
            self._ready.append(self.ended)
            self.close()

    def close(self) -> None:
        """Hang up."""
        self._closed = True
        with contextlib.suppress(OSError, ValueError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if self._reading.acquire(blocking=False):
            self._reading.release()
            self._sock.close()


def _passed_on(ending: Ending) -> Ending:
    """An open chunk went out in parts, each of them whole: what is left of it is a chunk that has not begun."""
    if ending.at is At.IN_CHUNK and ending.declared is not None and ending.sent is not None:
        return replace(ending, declared=max(ending.declared - ending.sent, 1), sent=0)
    return ending
