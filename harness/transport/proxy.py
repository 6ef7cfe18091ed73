"""A proxy: a server for services that block, and another server as such a service.

Layer 3. Knows blocking sockets; must not know faults or recordings. This is the one service that blocks: a carrier
calls it and pulls the pieces of its bodies on threads. If nothing more has arrived, a body yields `Pause(0)` once,
so that what did arrive is forwarded, and blocks when it is pulled again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import replace
from typing import Any, TypeVar

from harness.outcome import UsageFault
from harness.transport.client.dial import NoConnection, dial, trusting, upstream_origin
from harness.transport.client.driver import receive
from harness.transport.http1.heads import ResponseHead, request_bytes
from harness.transport.http1.limits import RECORDED_BYTES, Limits, ServerLimits
from harness.transport.http1.reader import Data, Event, Incoming, ResponseReader
from harness.transport.http1.writer import After, ResponseWriter
from harness.transport.server.connection import Hub, ServerConnection, list_own_fields
from harness.transport.server.server import Server
from harness.wire import At, By, Chunk, Ending, How, Pause, Piece, Request, Response, Service
from harness.wire.addresses import readdress, stand_in_url

# How a service that blocks learns that its response is not needed any more: its client left, or the server stops.
# A carrier that calls services on threads sets `LEAVING` around each call; a service may ignore it.


class Leaving:
    """Whether one client has left, with callbacks for when it does; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = False
        self._calls: list[Callable[[], None]] = []

    def leave(self) -> None:
        """The client left: run the callbacks."""
        with self._lock:
            self._left = True
            calls, self._calls = self._calls, []
        for call in calls:
            call()

    def tell(self, call: Callable[[], None]) -> None:
        """Run `call` when the client leaves, on any thread; at once if it has left already."""
        with self._lock:
            if not self._left:
                self._calls.append(call)
                return
        call()


LEAVING: ContextVar[Leaving | None] = ContextVar("harness_leaving", default=None)


# The socket carrier for services that block: each request runs on its own thread, so none waits for another.


_THREADS = 4096
"""One for each waiting stream; threads are created only when they are needed."""

_SERVER_LIMITS = ServerLimits(head_bytes=1024 * 1024, body_bytes=RECORDED_BYTES, request_seconds=600.0)
"""Wide limits: refusing a request is up to the server behind the proxy."""

_Result = TypeVar("_Result")


def _always(request: Request) -> bool:
    return True


class WaitingServer(Server):
    """A `Server` for a service that blocks. Takes the arguments of `Server`; its default limits are wider.

    Requests for which `waits` returns false are answered at once, without a thread.
    """

    _threads: ThreadPoolExecutor

    def __init__(
        self,
        service: Service,
        *,
        waits: Callable[[Request], bool] = _always,
        limits: ServerLimits = _SERVER_LIMITS,
        **options: Any,
    ) -> None:
        super().__init__(service, limits=limits, **options)
        self._waits = waits

    async def start(self) -> None:
        """Listen; raises `UsageFault` if the address cannot be used."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="harness-proxy")
        try:
            await super().start()
        except UsageFault:
            self._threads.shutdown()
            raise

    def _new_connection(self) -> ServerConnection:
        return _WaitingConnection(self._hub, self._threads, self._waits)

    async def stop(self) -> None:
        """Stop listening; hang up on every client and every server behind the proxy."""
        await super().stop()
        await asyncio.to_thread(self._threads.shutdown)


class _WaitingConnection(ServerConnection):
    """A connection that calls its service and pulls its bodies on threads."""

    def __init__(self, hub: Hub, threads: ThreadPoolExecutor, waits: Callable[[Request], bool]) -> None:
        super().__init__(hub)
        self._threads = threads
        self._waits = waits

    def _answer(self, incoming: Incoming) -> None:
        if not self._waits(incoming.request):
            super()._answer(incoming)
            return
        self._in_request = False
        self._work(self._serve_one(incoming))

    async def _serve_one(self, incoming: Incoming) -> After:
        request, head, opened = incoming
        response = await self._ask(request, opened)
        self._body = response.body
        own = list_own_fields(head, opened)
        writer = ResponseWriter(response, head.method, keep=head.keep, http10=head.http10, extra=own)
        data = b""
        while writer.after is None:
            await self._room_or_turn()
            if writer.pause is not None and writer.pause.seconds:
                await asyncio.sleep(writer.pause.seconds)
            data = await self._run_away(writer.batch)
            self._write(data, writer.after)
        return await self._end(writer.after, data)

    async def _ask(self, request: Request, opened: bool) -> Response:
        """The service's response. If the client leaves first, tell the service and close the response later."""
        leaving, context = Leaving(), copy_context()
        context.run(LEAVING.set, leaving)
        work = self._threads.submit(context.run, self._hub.answer, request, opened)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(_close_unheard)
            leaving.leave()
            raise

    def _run_away(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        return self._loop.run_in_executor(self._threads, work)


def _close_unheard(work: Future[Response]) -> None:
    if not work.cancelled() and work.exception() is None:
        work.result().body.close()


_OURS = ("host", "content-length", "expect", "accept-encoding")
_HOP_BY_HOP = (
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
)  # fmt: skip
_OF_THE_CONNECTION = ("connection", "keep-alive")
"""Fields about the server's connection to us, which do not concern our client."""
_DAY = 86_400.0
_UPSTREAM_LIMITS = Limits(
    head_seconds=_DAY, idle_seconds=_DAY, head_bytes=1024 * 1024, head_fields=10_000, body_bytes=1 << 60
)
"""Wide limits: timing out is up to the client, and the wait ends when it leaves."""


class UpstreamServer:
    """A `Service` that forwards to the server at `target` (`http[s]://host[:port]`), in identity encoding.

    Addresses in the heads of answers that name the server name what the client called instead.
    Nothing the server does raises: a connection that dies becomes the `Ending` of the body.
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
        body.send(self._wire(request))
        head = body.head()
        if head is None:
            return Response.dead(body.ended or Ending(how=How.FIN, at=At.BEFORE_HEADERS))
        fields = head.headers.without(*_OF_THE_CONNECTION)
        fields = readdress(fields, self._origin.url, stand_in_url(request))
        return Response(head.status, fields, head.framing, body, head.reason)

    def _wire(self, request: Request) -> bytes:
        fields = [("host", self._origin.authority), *request.headers.without(*_OURS, *_HOP_BY_HOP)]
        fields += [("accept-encoding", "identity"), ("connection", "close")]
        return request_bytes(request.method, request.target, fields, request.body)


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
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Data):
            self._ready.append(Chunk(event.data))
        elif isinstance(event, Ending):
            self.ended = _pass_on(event)
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
