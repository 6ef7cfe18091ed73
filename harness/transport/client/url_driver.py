"""The driver for a target behind a URL.

Layer 3. Knows which connection a request goes out on and what the request looks like there. A redirect is a
response like any other. No request is ever sent twice where that could matter: only a request that may be repeated
uses a kept connection, and only such a request is sent again if that connection turns out to be dead.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from harness import __version__
from harness.outcome import Unmet, UsageFault
from harness.transport.client.dial import NoConnection, Origin, dial, trusting
from harness.transport.client.last_event import StreamEnds
from harness.transport.client.live_stream import LiveStreamReader, read_whole
from harness.transport.client.pool import Pool
from harness.transport.client.response_stream import NoReading, UrlReading
from harness.transport.http1.heads import request_bytes
from harness.transport.http1.limits import Limits
from harness.wire import (
    By,
    Collect,
    Driver,
    DriverAction,
    Exchange,
    Headers,
    How,
    Interrupt,
    Listen,
    Open,
    Request,
    Send,
    Together,
    Wait,
)
from harness.wire.delivery import Inbox, is_on_this_machine
from harness.wire.message import TOKEN

_OURS = ("host", "content-length", "transfer-encoding", "connection")
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


class UrlDriver(Driver):
    """A `wire.Driver` over sockets; thread-safe.

    Request targets are appended to the path of `url`. `headers` are added to every request that lacks them;
    `ca_file` names certificates to trust besides the system's; `environment=False` ignores HTTPS_PROXY. `ends`
    knows the final event of a stream: after it the driver does not wait long for the end.
    Raises `UsageFault` for an invalid URL; nothing a target does raises.
    """

    def __init__(
        self,
        url: str,
        limits: Limits | None = None,
        *,
        headers: Iterable[tuple[str, str]] = (),
        ca_file: str | None = None,
        environment: bool = True,
        ends: StreamEnds | None = None,
    ) -> None:
        self._origin = Origin.parse(url)
        self._limits = limits or Limits()
        self._headers = Headers(headers)
        self._environment = environment
        self._ends = ends or StreamEnds()
        self._tls = trusting(ca_file) if self._origin.scheme == "https" else None
        self._pool = Pool()
        self._lock = threading.Lock()
        self._open: list[UrlReading | NoReading] = []
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def perform(self, action: DriverAction) -> Any:
        """Perform an action over sockets, and sleep for a `Wait`."""
        match action:
            case Send(request, timeout):
                return self._send(request, timeout)
            case Open(request, timeout):
                return self._open_stream(request, timeout)
            case Together():
                return self._send_together(action)
            case Wait(seconds):
                return time.sleep(seconds)
            case Listen():
                return self._listen()
            case Collect(receiver, count, seconds):
                return receiver.collect(count, seconds)
            case Interrupt():
                return self._shut_down()

    def _send(self, request: Request, timeout: float | None) -> Exchange:
        reading = self._read(request, self._limits.within(timeout))
        try:
            return read_whole(reading)
        except BaseException:  # an interrupt: nobody else could hang up
            reading.stop(By.CLIENT, How.FIN, "")
            raise

    def _open_stream(self, request: Request, timeout: float | None) -> LiveStreamReader:
        reading = self._read(request, self._limits.within(timeout))
        with self._lock:
            self._open = [other for other in self._open if other.ended is None]
            self._open.append(reading)
        return LiveStreamReader(reading, self._limits.event_bytes)

    def _send_together(self, action: Together) -> list[Exchange]:
        """Send each request on its own thread."""

        def send(request: Request, answer: Future[Exchange]) -> None:
            try:
                exchange = self._send(request, None)
                if action.note is not None:
                    action.note(exchange)
                answer.set_result(exchange)
            except BaseException as raised:
                answer.set_exception(raised)

        # No executor: the interpreter would wait for its threads, and they for their answers.
        answers: list[Future[Exchange]] = [Future() for _ in action.requests]
        for request, answer in zip(action.requests, answers, strict=True):
            threading.Thread(target=send, args=(request, answer), name="harness-client", daemon=True).start()
        return [answer.result() for answer in answers]

    def _listen(self) -> Inbox:
        """Open a receiver on a port of this machine. Raises Unmet if the target is on another one."""
        if not is_on_this_machine(self._origin.url):
            raise Unmet(
                f"{self._origin.host} cannot reach a receiver on this machine, so what it delivers was not seen",
                remedy="on a target that runs on this machine (http://127.0.0.1:PORT)",
            )
        from harness.transport.server.socket_receiver import SocketReceiver

        return SocketReceiver()

    def _shut_down(self) -> None:
        """Shut down every connection: whoever reads from one finds its end."""
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close open streams and kept connections."""
        with self._lock:
            readings, self._open = self._open, []
        for reading in readings:
            reading.stop(By.CLIENT, How.FIN, "")
        self._pool.close()

    def _read(self, request: Request, limits: Limits) -> UrlReading | NoReading:
        wire = self._wire(request)
        began = time.monotonic()
        kept = self._pool.take() if request.method in _REPEATABLE else None
        if kept is not None:
            reading = self._begin_reading(kept, request, wire, limits, began)
            if not reading.deaf:
                return reading
        try:
            sock = dial(self._origin, limits, self._tls, environment=self._environment)
        except NoConnection as none:
            return NoReading(request, none.ending, began)
        with self._lock:
            self._sockets.add(sock)
        return self._begin_reading(sock, request, wire, limits, began)

    def _begin_reading(
        self, sock: socket.socket, request: Request, wire: bytes, limits: Limits, began: float
    ) -> UrlReading:
        try:
            return UrlReading(
                sock, request, wire, limits=limits, ends=self._ends, began=began, release=self._release
            )
        except BaseException:
            sock.close()
            raise

    def _release(self, sock: socket.socket, clean: bool) -> None:
        if clean:
            self._pool.give(sock)
        else:
            sock.close()

    def _wire(self, request: Request) -> bytes:
        """The request as it is sent, body included."""
        if TOKEN.fullmatch(request.method) is None:
            raise UsageFault(f"{request.method!r} is not an HTTP method: a method is one token")
        target = quote(self._origin.prefix + request.target, safe=_VISIBLE)
        fields = [("host", self._origin.authority)]
        fields += request.headers.without(*_OURS).items()
        fields += [item for item in self._headers.without(*_OURS) if item[0] not in request.headers]
        sent = Headers(fields)
        if "accept-encoding" not in sent:
            fields.append(("accept-encoding", "identity"))
        if "user-agent" not in sent:
            fields.append(("user-agent", f"interactions-harness/{__version__}"))
        return request_bytes(request.method, target, fields, request.body)
