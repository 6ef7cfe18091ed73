"""The socket carrier: a service behind HTTP/1.1 on a real port, in this event loop or in a thread of its own.

Knows listening sockets, event loops, threads and real time; `connection` knows what happens on one connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, Generic, Self, TypeVar

from harness.outcome import HarnessFault, UsageFault
from harness.transport.http1.reader import RECORDED_BYTES, Incoming, ServerLimits
from harness.transport.http1.writer import After, ResponseWriter
from harness.transport.server.connection import Hub, ServerConnection, list_own_fields
from harness.wire import TICK, Clock, Headers, LogicalClock, Request, Response, Service
from harness.wire.delivery import Arrival, Inbox


async def listen(
    connection: Callable[[], asyncio.Protocol], host: str, port: int, **options: Any
) -> asyncio.Server:
    """A listener that makes a `connection` for each client; raises `UsageFault` if the address cannot be used.

    `options` are those of `loop.create_server`; a bound `sock` among them replaces the address.
    """
    where: dict[str, Any] = {} if options.get("sock") else {"host": host, "port": port}
    try:
        return await asyncio.get_running_loop().create_server(connection, **where, backlog=1024, **options)
    except UnicodeError:  # of a name such as `a..example`, which no resolver takes
        raise UsageFault(f"cannot listen on {host}:{port}: {host!r} is not the name of a host (--host)") from None
    except OSError as error:
        code = error.errno or 0
        why = os.strerror(code) if code > 0 else error.strerror or str(error)
        raise UsageFault(
            f"cannot listen on {host}:{port} ({why}): "
            "choose another host or port (--host, --port; 0 takes a free one)"
        ) from error


def port_of(listener: asyncio.Server) -> int:
    """The port that the listener got."""
    return int(listener.sockets[0].getsockname()[1])


def url_of(scheme: str, host: str, port: int) -> str:
    """The URL of a server, without a trailing slash."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


# Real time as a `Clock`, for a service that runs on a port of its own; tests use the logical clock.


class WallClock:
    """Seconds since its creation. Requests and pauses do not move it, because they take real time.

    With a `speed` other than 1 this clock runs so many times faster than the machine's; a tick takes the same
    real time.
    """

    __slots__ = ("_began", "speed", "tick_seconds")

    def __init__(self, *, speed: float = 1.0) -> None:
        self._began = time.monotonic()
        self.speed = speed
        self.tick_seconds = TICK * speed

    skipped = 0.0
    """No sleep is skipped where time is real."""

    @property
    def now(self) -> float:
        """Seconds since this clock was made."""
        return (time.monotonic() - self._began) * self.speed

    def tick(self) -> None:
        """Do nothing: the request arrived in real time."""

    def reached(self, moment: float) -> None:
        """Do nothing: the pause took real time."""


# An asynchronous server on its own event loop and thread, for callers that block.


Served = TypeVar("Served", bound=contextlib.AbstractAsyncContextManager[Any])
T = TypeVar("T")


class InThread(Generic[Served]):
    """`with InThread(server) as server:` listens once entered, and on exit leaves no thread or socket behind."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def __enter__(self) -> Served:
        self.start()
        return self.server

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread and wait until the server listens; raises whatever the server's start raises."""
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, name="harness-server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            failure, self._failure = self._failure, None
            raise failure

    def submit(self, work: Coroutine[None, None, T]) -> Future[T]:
        """Run a coroutine in the server's loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Stop the server and its loop, join the thread; safe to call again."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stopping is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop may have ended already
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._main())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        async with self.server:
            self._ready.set()
            await self._stopping.wait()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop if uvloop is installed, else None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class _Endpoint:
    """The shared part of `Server` and `ServerThread`: signature, address, and how to listen and disconnect.

    `port=0` takes a free port. A bound `sock` replaces `host` and `port`, and the server owns it from then on.
    `clock` is the clock that pauses move (the service's own). `tls` makes it https. `cors` names request fields,
    and lets web pages of any origin send requests with them; `cors_for` selects the requests, by default all, and
    sees each head once, without a body. `hear` is called with each request before its response. Faults of our own
    are kept in `errors`, and `on_fault` is called with each.
    """

    def __init__(
        self,
        service: Service,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        sock: socket.socket | None = None,
        clock: Clock | None = None,
        tls: ssl.SSLContext | None = None,
        cors: Sequence[str] = (),
        cors_for: Callable[[Request], bool] | None = None,
        hear: Callable[[Request], object] | None = None,
        on_fault: Callable[[HarnessFault], object] | None = None,
        limits: ServerLimits | None = None,
    ) -> None:
        self._hub = Hub(
            service,
            clock or LogicalClock(),
            limits or ServerLimits(),
            cors=cors,
            cors_for=cors_for,
            hear=hear,
            on_fault=on_fault,
        )
        self._host: str = host if sock is None else sock.getsockname()[0]
        self._port: int = port if sock is None else sock.getsockname()[1]
        self._sock = sock
        self._tls = tls
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def errors(self) -> list[HarnessFault]:
        """The faults of the service and its bodies, the first hundred."""
        return self._hub.errors

    @property
    def refused(self) -> str:
        """Why the last request that did not reach the service was refused; `""` if there was none."""
        return self._hub.refused

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    @property
    def url(self) -> str:
        """The URL for clients, without a trailing slash."""
        return url_of("https" if self._tls else "http", self._host, self._port)

    async def rest(self) -> int:
        """Wait until no byte has come or gone for three turns of the loop; return how often any did.

        Each turn asks the system for connections and bytes, so that what clients have sent before has come.
        """
        seen, quiet = -1, 0
        while quiet < 3:
            await asyncio.sleep(0)
            quiet = quiet + 1 if seen == self._hub.traffic else 0
            seen = self._hub.traffic
        return seen

    async def _listen(self) -> None:
        options: dict[str, Any] = {"ssl": self._tls, "sock": self._sock}
        if self._tls is not None:
            options["ssl_handshake_timeout"] = self._hub.limits.request_seconds
        self._listener = await listen(self._new_connection, self._host, self._port, **options)
        self._port = port_of(self._listener)
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    def _new_connection(self) -> ServerConnection:
        return ServerConnection(self._hub)

    async def _sweep(self) -> None:
        limits = self._hub.limits
        interval = min(limits.request_seconds / 4, limits.idle_seconds / 4, 1.0)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(interval)
            for connection in tuple(self._hub.connections):
                connection.sweep(loop.time())

    async def _hang_up(self) -> None:
        if self._listener is None or self._sweeper is None:
            return
        self._listener.close()
        self._sweeper.cancel()
        tasks: list[asyncio.Task[None] | asyncio.Task[After]] = [self._sweeper]
        for connection in tuple(self._hub.connections):
            task = connection.stop()
            if task is not None:
                tasks.append(task)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._listener.wait_closed()
        while self._hub.connections:  # connection_lost comes with the loop's next turns
            await asyncio.sleep(0)
        self._listener = self._sweeper = None

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._hang_up()


class Server(_Endpoint):
    """Serves `service` from the running event loop between `start()` and `stop()`, or as `async with`."""

    async def start(self) -> None:
        """Listen; raises `UsageFault` if the address cannot be used."""
        await self._listen()

    async def stop(self) -> None:
        """Stop listening, disconnect every client, and wait until every body is closed."""
        await self._hang_up()


class ServerThread(_Endpoint):
    """Serves it from an event loop and a thread of its own: `with ServerThread(service) as server: server.url`.

    It listens once entered, and on exit leaves no thread, task or socket behind.
    """

    _running: InThread[ServerThread] | None = None

    def start(self) -> None:
        """Start the thread and wait until the port listens; raises what `Server.start` raises."""
        self._running = InThread(self)
        self._running.start()

    def stop(self) -> None:
        """Disconnect, stop the loop, join the thread; safe to call again."""
        if self._running is not None:
            self._running.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


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


_SERVER_LIMITS = ServerLimits(head_bytes=1024 * 1024, body_bytes=RECORDED_BYTES, request_seconds=600.0)
"""Wide limits: refusing a request is up to the server behind the proxy."""


class WaitingServer(Server):
    """A `Server` for a service that blocks. Takes the arguments of `Server`; its default limits are wider.

    Requests for which `waits` returns false are served at once, without a thread.
    """

    _threads: ThreadPoolExecutor

    def __init__(
        self,
        service: Service,
        *,
        waits: Callable[[Request], bool] = lambda request: True,
        limits: ServerLimits = _SERVER_LIMITS,
        **options: Any,
    ) -> None:
        super().__init__(service, limits=limits, **options)
        self._waits = waits

    async def _listen(self) -> None:
        # one for each waiting stream; threads are created only when they are needed
        self._threads = ThreadPoolExecutor(4096, thread_name_prefix="harness-proxy")
        try:
            await super()._listen()
        except UsageFault:
            self._threads.shutdown()
            raise

    def _new_connection(self) -> ServerConnection:
        return _WaitingConnection(self._hub, self._threads, self._waits)

    async def _hang_up(self) -> None:
        """Disconnect every client, and every server behind the proxy."""
        await super()._hang_up()
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
        head, opened = incoming.head, incoming.opened
        # If the client leaves first, tell the service, and close the response later.
        leaving, context = Leaving(), copy_context()
        context.run(LEAVING.set, leaving)
        work = self._threads.submit(context.run, self._hub.answer, incoming.request, opened)
        try:
            response = await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(_close_unheard)
            leaving.leave()
            raise
        self._body = response.body
        own = list_own_fields(head, opened)
        writer = ResponseWriter(response, head.method, keep=head.keep, http10=head.http10, extra=own)
        data = b""
        while writer.after is None:
            await self._room_or_turn()
            if writer.pause is not None and writer.pause.seconds:
                await asyncio.sleep(writer.pause.seconds)
            data = await self._loop.run_in_executor(self._threads, writer.batch)
            self._write(data, writer.after)
        return await self._end(writer.after, data)


def _close_unheard(work: Future[Response]) -> None:
    if not work.cancelled() and work.exception() is None:
        work.result().body.close()


# A receiver of deliveries on a port of this machine, for targets that are on this machine, too.


class SocketReceiver(Inbox):
    """Listens as soon as it is made, until `close`."""

    def __init__(self) -> None:
        super().__init__(time.monotonic)
        self._path = f"/deliveries/{secrets.token_hex(16)}"  # a web page can post to a port, and not guess a path
        self._server = ServerThread(self._receive)
        self._server.start()
        self.uri = self._server.url + self._path

    def _receive(self, request: Request) -> Response:
        known = request.raw_path.startswith(self._path)
        return self(request) if known else Response.whole(404, Headers(), b"")

    def collect(self, count: int, seconds: float) -> list[Arrival]:
        """Wait, in real time, until so many deliveries have come."""
        with self.came:
            self.came.wait_for(lambda: self.waiting >= count, timeout=seconds)
            return self.take()

    def close(self) -> None:
        """Stop listening."""
        self._server.stop()
