"""The socket carrier: a service behind HTTP/1.1 on a real port, in this event loop or in a thread of its own.

Layer 3. Knows listening sockets, event loops and threads; `connection` knows what happens on a connection.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from harness.outcome import HarnessFault
from harness.transport.http1.limits import ServerLimits
from harness.transport.http1.response_writer import After
from harness.transport.server.connection import Hub, ServerConnection
from harness.transport.server.listener import listen, port_of, url_of
from harness.transport.server.server_thread import InThread
from harness.wire import Clock, LogicalClock, Request, Service


class _Endpoint:
    """What `Server` and `ServerThread` share: the signature, the address, and how to listen and to hang up.

    `port=0` takes a free port. A bound `sock` replaces `host` and `port`, and the server owns it from then on.
    `clock` is the clock that pauses move (the service's own). `tls` makes it https. `cors` names request fields,
    and lets web pages of any origin send requests with them; `cors_for` says which requests, by default all, and
    sees each head once, without a body. `hear` is called with each request before it is answered. Faults of
    our own are kept in `errors`.
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
        limits: ServerLimits | None = None,
    ) -> None:
        self._hub = Hub(
            service, clock or LogicalClock(), limits or ServerLimits(), cors=cors, cors_for=cors_for, hear=hear
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
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    @property
    def url(self) -> str:
        """The URL for clients, without a trailing slash."""
        return url_of("https" if self._tls else "http", self._host, self._port)

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


class Server(_Endpoint):
    """Serves `service` from the running event loop between `start()` and `stop()`, or as `async with`."""

    async def start(self) -> None:
        """Listen; raises `UsageFault` if the address cannot be used."""
        await self._listen()

    async def stop(self) -> None:
        """Stop listening, disconnect every client, and wait until every body is closed."""
        await self._hang_up()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class _Listening:
    """`async with` for an endpoint whose own `start` and `stop` block."""

    def __init__(self, endpoint: _Endpoint) -> None:
        self._endpoint = endpoint

    async def __aenter__(self) -> None:
        await self._endpoint._listen()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._endpoint._hang_up()


class ServerThread(_Endpoint):
    """Serves it from an event loop and a thread of its own: `with ServerThread(service) as server: server.url`.

    It listens once entered, and on exit leaves no thread, task or socket behind.
    """

    _running: InThread[_Listening] | None = None

    def start(self) -> None:
        """Start the thread and wait until the port listens; raises what `Server.start` raises."""
        self._running = InThread(_Listening(self))
        self._running.start()

    def stop(self) -> None:
        """Disconnect, stop the loop, join the thread; safe to call again."""
        if self._running is not None:
            self._running.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
