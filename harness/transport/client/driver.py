"""The driver for a target behind a URL; `UrlDriver`, at the end, is what callers know.

A request goes through `UrlDriver._read`, which takes a kept connection of the `Pool` or dials, and becomes a
`UrlReading`: made, it has written the request and read the head; `more` reads the body, `record` is the exchange.

Knows which connection a request goes out on and what the request looks like there. A redirect is a response like
any other. No request is ever sent twice where that could matter: only a request that may be repeated uses a kept
connection, and only such a request is sent again if that connection turns out to be dead.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from msgspec.structs import replace

from harness import __version__
from harness.outcome import Unmet, UsageFault
from harness.transport.client.origin import NoConnection, Origin, dial, trusting
from harness.transport.client.stream import LiveStreamReader, ResponseReading, StreamEnds, decoder_for, read_whole
from harness.transport.http1.heads import request_bytes, write_fields
from harness.transport.http1.reader import Data, Event, Limits, ResponseHead, ResponseReader
from harness.wire import (
    By,
    Collect,
    Driver,
    DriverAction,
    Ending,
    Exchange,
    Headers,
    How,
    Interrupt,
    Length,
    Listen,
    Open,
    Request,
    Send,
    Together,
    Wait,
)
from harness.wire.delivery import is_on_this_machine
from harness.wire.message import TOKEN

_TLS_CUT = "UNEXPECTED_EOF_WHILE_READING"
"""The reason that OpenSSL 3 gives a FIN; after a reset it reports only the broken end."""

_NO_CLOSE_NOTIFY = "TLS ended without close_notify"


def receive(sock: socket.socket, reader: ResponseReader, *, until: float, limit: str) -> list[Event]:
    """Read once, until the moment `until` at the latest; `limit` names what sets it."""
    try:
        return read_within(sock, reader, until - time.monotonic())
    except TimeoutError:
        return [reader.stop(How.TIMEOUT, By.LIMIT, f"nothing came in time ({limit})")]


def read_within(sock: socket.socket, reader: ResponseReader, seconds: float) -> list[Event]:
    """Read once. Raises TimeoutError if nothing comes within these seconds."""
    if seconds <= 0:
        raise TimeoutError
    try:
        if sock.gettimeout() != 0:
            sock.settimeout(seconds)
        elif not _readable(sock, seconds):
            raise TimeoutError
        data = sock.recv(64 * 1024)
    except TimeoutError:
        raise
    except BlockingIOError:  # what was there is gone
        return []
    except ssl.SSLError as error:
        if error.reason == _TLS_CUT:  # before Python 3.11.4 no SSLEOFError
            return [reader.stop(How.FIN, By.SERVER, _NO_CLOSE_NOTIFY)]
        if isinstance(error, ssl.SSLEOFError):
            return [reader.stop(How.RST, By.SERVER, _NO_CLOSE_NOTIFY)]
        return [reader.stop(How.TLS, By.SERVER, str(error.reason or error))]
    except OSError as error:
        return [reader.stop(How.RST, By.SERVER, error.strerror or "")]
    except ValueError as error:  # closed by another thread
        return [reader.stop(How.RST, By.SERVER, str(error))]
    return reader.feed(data) if data else [reader.fin()]


# Connections kept for the next request. A server may close an idle connection at any time. That must never look
# like a defect of the response, so a caller that takes a connection must be ready to dial again.


class Pool:
    """Idle connections to one origin, most recently used first; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[float, socket.socket, str]] = []
        self._closed = False

    def take(self, target: str) -> socket.socket | None:
        """A connection on which nothing has arrived while it was idle; None if there is none.

        It is not one that has just read this target: behind a server of several workers each connection belongs to
        one of them, and a run that was polled over one connection never saw that the others lagged behind.
        """
        while True:
            with self._lock:
                others = (at for at in reversed(range(len(self._idle))) if self._idle[at][2] != target)
                if (place := next(others, None)) is None:
                    return None
                since, sock, _ = self._idle.pop(place)
            if time.monotonic() - since < 15.0 and not _readable(sock):
                return sock
            sock.close()

    def give(self, sock: socket.socket, target: str) -> None:
        """Keep a connection whose last response ended cleanly; close it if the pool is full or closed."""
        with self._lock:
            if not self._closed and len(self._idle) < 32:
                self._idle.append((time.monotonic(), sock, target))
                return
        sock.close()

    def empty(self) -> None:
        """Close the kept connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, sock, _ in idle:
            sock.close()

    def close(self) -> None:
        """Close the kept connections, and every connection given from now on."""
        with self._lock:
            self._closed = True
        self.empty()


def _readable(sock: socket.socket, seconds: float = 0.0) -> bool:
    """Whether data or an end comes on a connection within these seconds."""
    poll = select.poll() if hasattr(select, "poll") else None
    if poll is None:
        return bool(select.select([sock], [], [], seconds)[0])
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


# One response, read from a socket: every wait is bounded, every failure is an `Ending`.


_LOOK_SECONDS = 0.5
"""How often a wait for bytes looks whether it has less time than it had."""


class UrlReading(ResponseReading):
    """A response on `sock`, read on demand.

    The constructor writes the request and reads the head. Once the response has ended, `release` gets the socket
    back, and whether another request may use it. While nothing comes, `free` closes what may be in its way.
    """

    def __init__(
        self,
        sock: socket.socket,
        request: Request,
        wire: bytes,
        *,
        limits: Limits,
        ends: StreamEnds,
        began: float,
        release: Callable[[socket.socket, bool], None],
        free: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(request, limits, ends, began, time.monotonic)
        self._sock = sock
        self._deadline = began + limits.total_seconds
        self._is_late = False
        self._release = release
        self._free = free
        self._reader = ResponseReader(request.method, limits)
        self._ready: list[Event] = []
        try:
            sent = 0
            if not isinstance(sock, ssl.SSLSocket):
                if sock.gettimeout() != 0:  # with a timeout each call would wait twice more for other threads
                    sock.settimeout(0)
                with suppress(BlockingIOError):
                    sent = sock.send(wire)
            if sent < len(wire):
                sock.settimeout(min(limits.head_seconds, limits.total_seconds))
                sock.sendall(wire[sent:])
            if hasattr(socket, "TCP_QUICKACK"):  # Linux
                # Acknowledge the first bytes of the response without delay: a server that writes head and body
                # separately, as Python's own does, otherwise waits 40 ms for that.
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except TimeoutError:
            self.stop(By.LIMIT, How.TIMEOUT, "the request was not read in time (Limits.head_seconds)")
        except OSError:
            pass  # the peer disconnected while we were sending: a response it sent before can still be read
        until = time.monotonic() + self._limits.head_seconds
        while self.ended is None and self._reader.head is None:
            for event in self._receive(until, "head_seconds"):
                if isinstance(event, ResponseHead):
                    self.recorder.head(event.status, event.headers, event.framing, event.reason)
                    self._coding = decoder_for(event.headers, self._limits)
                elif isinstance(event, Ending) and self._reader.head is None:
                    self._end(event)
                else:
                    self._ready.append(event)

    @property
    def deaf(self) -> bool:
        """Whether the connection ended before a byte of response, like a kept one that its server had closed."""
        return self.ended is not None and not self._reader.begun and self.ended.how in {How.FIN, How.RST}

    def more(self) -> bytes:
        """The body bytes that have arrived already, else the next ones."""
        events, self._ready = self._ready, []
        if not events and self.ended is None:
            now = time.monotonic()
            events = self._receive(
                now + min(self._limits.idle_seconds, self._last.measure_patience(now)), "idle_seconds"
            )
        parts = []
        for event in events:
            if self.ended is None and isinstance(event, Data):
                parts.append(self._take(event.data))
            elif self.ended is None and isinstance(event, Ending):
                self._end(event)
        return b"".join(parts)

    def look(self) -> bytes:
        """The bytes that have come, possibly none: nothing is waited for."""
        if self.ended is None:
            with suppress(TimeoutError):
                self._ready += read_within(self._sock, self._reader, 0.001)
        return self.more() if self._ready else b""

    def _receive(self, until: float, name: str) -> list[Event]:
        """The events that arrive before `until`, or before the deadline, which another thread may bring nearer."""
        while True:
            last, limit = min((until, name), (self._deadline, "total_seconds"))
            left = last - time.monotonic()
            if left <= 0 and not self._is_late:  # what came while nobody read is there, and may be the end
                self._is_late, last = True, time.monotonic() + 0.001
            if left <= _LOOK_SECONDS:
                return receive(self._sock, self._reader, until=last, limit=self._limits.name_wait(limit))
            try:
                return read_within(self._sock, self._reader, _LOOK_SECONDS)
            except TimeoutError:
                self._free()

    def _end(self, ending: Ending) -> None:
        if ending.complete and self._coding is not None and (breach := self._coding.finish()) is not None:
            ending = replace(ending, by=breach.by, how=breach.how, detail=breach.detail)
        if ending.complete and (excess := self._reader.excess):
            framing = self.recorder.framing
            declared = framing.size if isinstance(framing, Length) else None
            sent = None if declared is None else declared + excess
            detail = f"{excess} bytes follow the end of the response"
            ending = replace(ending, declared=declared, sent=sent, detail=detail)
        self._finish(ending)

    def hurry(self, seconds: float) -> None:
        """Let the rest take at most so many seconds."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def stop(self, by: By, how: How, detail: str) -> None:
        """Disconnect, unless the response has ended already."""
        if self.ended is None:
            place = self._reader.ended or self._reader.stop(how, by, detail)
            self._finish(replace(place, by=by, how=how, detail=detail))

    def _finish(self, ending: Ending) -> None:
        self.conclude(ending)
        head = self._reader.head
        clean = ending.complete and head is not None and head.keep and not self._reader.excess
        self._release(self._sock, clean)


_OURS = ("host", "content-length", "transfer-encoding", "connection")
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing: a second DELETE finds nothing, whatever became of the first."""
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


class UrlDriver(Driver):
    """A `wire.Driver` over sockets; thread-safe.

    Request targets are appended to the path of `url`. `ca_file` names certificates to trust besides the system's;
    `environment=False` ignores HTTPS_PROXY. `ends` knows the final event of a stream: after it the driver does not
    wait long for the end. A server that serves one connection at a time would wait on an idle one, so the driver
    closes those before a new one and while it waits. Raises `UsageFault` for an invalid URL; nothing a target does
    raises.
    """

    def __init__(
        self,
        url: str,
        limits: Limits | None = None,
        *,
        ca_file: str | None = None,
        environment: bool = True,
        ends: StreamEnds | None = None,
    ) -> None:
        self._origin = Origin.parse(url)
        self._limits = limits or Limits()
        self._environment = environment
        self._ends = ends or StreamEnds()
        self._tls = trusting(ca_file) if self._origin.scheme == "https" else None
        self._pool = Pool()
        self._lock = threading.Lock()
        self._open: list[ResponseReading] = []
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def perform(self, action: DriverAction) -> Any:
        """Perform an action over sockets, and sleep for a `Wait`."""
        match action:
            case Send():
                return self._send(action.request, self._limits.within(action.timeout))
            case Open():
                reading = self._read(action.request, self._limits.within(action.timeout))
                with self._lock:
                    self._open = [other for other in self._open if other.ended is None]
                    self._open.append(reading)
                return LiveStreamReader(reading, self._limits.event_bytes)
            case Together():
                return self._send_together(action)
            case Wait(seconds):
                return time.sleep(seconds)
            case Listen():
                if not is_on_this_machine(self._origin.url):
                    raise Unmet(
                        f"{self._origin.host} cannot reach a receiver on this machine, so what it delivers "
                        "was not seen",
                        remedy="on a target that runs on this machine (http://127.0.0.1:PORT)",
                    )
                from harness.transport.server.server import SocketReceiver

                return SocketReceiver()
            case Collect(receiver, count, seconds):
                return receiver.collect(count, seconds)
            case Interrupt():
                return self._shut_down()

    def _send(self, request: Request, limits: Limits) -> Exchange:
        reading = self._read(request, limits)
        try:
            return read_whole(reading)
        except BaseException:  # an interrupt: only this frame can close it
            reading.stop(By.CLIENT, How.FIN, "")
            raise

    def _send_together(self, action: Together) -> list[Exchange]:
        """Send the requests at the same time: the first one here, each other one on its own thread."""
        limits = self._limits.within(action.timeout)

        def send(request: Request, answer: Future[Exchange]) -> None:
            try:
                exchange = self._send(request, limits)
                if action.note is not None:
                    action.note(exchange)
                answer.set_result(exchange)
            except BaseException as raised:
                answer.set_exception(raised)

        # No executor: the interpreter would wait for its threads, and they for their answers.
        answers: list[Future[Exchange]] = [Future() for _ in action.requests]
        sending = list(zip(action.requests, answers, strict=True))
        for sent in sending[1:]:
            threading.Thread(target=send, args=sent, name="harness-client", daemon=True).start()
        try:
            if sending:
                send(*sending[0])
            return [answer.result() for answer in answers]
        except BaseException:  # an interrupt: what the others have received so far names what they created
            self._shut_down()
            wait(answers, timeout=1.0)
            raise

    def _shut_down(self) -> None:
        """Shut down every connection: a reader of one finds its end."""
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

    def _read(self, request: Request, limits: Limits) -> ResponseReading:
        wire = self._wire(request)
        began = time.monotonic()
        kept = self._pool.take(request.target) if request.method in _REPEATABLE else None
        if kept is not None:
            reading = self._begin_reading(kept, request, wire, limits, began)
            if not reading.deaf:
                return reading
        self._pool.empty()
        try:
            sock = dial(self._origin, limits, self._tls, environment=self._environment)
        except NoConnection as none:
            lost = ResponseReading(request, limits, self._ends, began, time.monotonic)
            lost.conclude(none.ending)
            return lost
        with self._lock:
            self._sockets.add(sock)
        return self._begin_reading(sock, request, wire, limits, began)

    def _begin_reading(
        self, sock: socket.socket, request: Request, wire: bytes, limits: Limits, began: float
    ) -> UrlReading:
        try:
            return UrlReading(
                sock,
                request,
                wire,
                limits=limits,
                ends=self._ends,
                began=began,
                release=partial(
                    self._release, target=request.target, is_chunked="transfer-encoding" in request.headers
                ),
                free=self._pool.empty,
            )
        except BaseException:
            sock.close()
            raise

    def _release(self, sock: socket.socket, clean: bool, *, target: str, is_chunked: bool) -> None:
        # a server that does not read chunks may take them for its next request
        if clean and not is_chunked:
            self._pool.give(sock, target)
        else:
            sock.close()

    def _wire(self, request: Request) -> bytes:
        """The request as it is sent, body included."""
        if TOKEN.fullmatch(request.method) is None:
            raise UsageFault(f"{request.method!r} is not an HTTP method: a method is one token")
        target, headers = request.below(self._origin.prefix), request.headers
        if not (target.isascii() and target.isprintable()) or " " in target:
            target = quote(target, safe=_VISIBLE)
        chunked = "transfer-encoding" in headers
        fields = [("host", self._origin.authority), *headers.without(*_OURS)]
        if chunked:  # of an exercise: chunks are what it is about
            fields.append(("transfer-encoding", "chunked"))
        if "accept-encoding" not in headers:
            fields.append(("accept-encoding", "identity"))
        if "user-agent" not in headers:
            fields.append(("user-agent", f"interactions-harness/{__version__}"))
        if chunked:
            fields.append(("connection", "close"))
        return request_bytes(request.method, target, write_fields(Headers(fields)), request.body, chunked=chunked)
