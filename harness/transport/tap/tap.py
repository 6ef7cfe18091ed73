"""The recording tap: a raw pass-through proxy in front of any server, for clients in any language.

Knows how to listen, how to dial, and the sink of finished exchanges (a callable); `link` handles each connection.
Forwards paths unchanged and rewrites only the Host field (and Accept-Encoding, if asked to).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from io import BytesIO
from typing import Any, Protocol, TypeAlias

from harness.outcome import UsageFault
from harness.transport.client.origin import (
    NoConnection,
    Origin,
    connect,
    failure,
    name_address,
    proxy_of,
    tls_failure,
    too_late,
    trusting,
    upstream_origin,
)
from harness.transport.http1.reader import RECORDED_BYTES, Limits, ServerLimits
from harness.transport.server.connection import Hub, ServerConnection
from harness.transport.server.server import listen, port_of, url_of
from harness.transport.tap.exchange_tracker import IN_MEMORY, Observe, Wiretap
from harness.transport.tap.link import ClientEnd, TapLink, UpstreamEnd
from harness.wire import By, Exchange, How, LogicalClock, Request, Response

_LATE = "it took too long"


async def dial_upstream(
    protocol: asyncio.Protocol, origin: Origin, tls: ssl.SSLContext | None, limits: Limits
) -> None:
    """Connect `protocol` to `origin`. Raises NoConnection, whose ending is what a direct client would see."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    # Like asyncio.timeout, at a third of its cost, which matters because every first byte waits for this.
    late = loop.call_later(limits.connect_seconds, task.cancel, _LATE)
    proxy, tunnel = None, None
    host, port = origin.address
    try:
        if tls is None:
            await loop.create_connection(lambda: protocol, host, port)
            return
        proxy = proxy_of(origin)
        where: dict[str, Any] = {"host": host, "port": port}
        if proxy is not None:
            tunnel = await asyncio.to_thread(connect, origin, proxy, limits)
            tunnel.settimeout(None)
            where = {"sock": tunnel}
        await loop.create_connection(lambda: protocol, ssl=tls, server_hostname=origin.host, **where)
    except UsageFault as wrong:
        raise NoConnection(By.LIMIT, How.REFUSED, str(wrong)) from None
    except asyncio.CancelledError as cancelled:
        if cancelled.args != (_LATE,):
            raise
        task.uncancel()
        raise too_late(name_address(origin, proxy, tunnel), limits) from None
    except ssl.SSLError as error:
        raise tls_failure(origin, error) from None
    except OSError as error:
        raise failure(name_address(origin, proxy, tunnel), error) from None
    finally:
        late.cancel()


class OwnPage(Protocol):
    """A service for certain requests to a server that otherwise forwards what comes."""

    def claims(self, request: Request) -> bool:
        """Whether a request, without its body, is for it."""

    def answer(self, request: Request) -> Response:
        """Answer a request that is for it; any later one of the same connection, too."""


_KEPT_NOTES = 100

Sink: TypeAlias = Callable[[Exchange], Awaitable[object] | None]
"""Receives every finished exchange, with bodies as they were on the wire, content coding included.

A returned awaitable is done when the exchange is kept; only then does the client get the last byte of the answer,
unless the exchange is very large.
"""


class Tap:
    """Listens between `start()` and `stop()`, or as `async with`; each client gets its own upstream connection.

    `target` is `http[s]://host[:port]`. `encoding` replaces the clients' Accept-Encoding, "" removes only what
    cannot be decoded here, None leaves it alone; `ca_file` names certificates to trust in addition to the
    system's. Bodies of more than `most` bytes are forwarded but not recorded; `spool` makes what keeps a long one.
    `observe` returns the observer of the response to a request, while it passes; `hear` is called with each
    request before any message about it. Requests for `page` get its response and go no further; one that comes on
    a connection to the target ends that connection. `errors` lists failures to keep a record, `unrecorded` the
    reasons why forwarded bytes are in no record; `warn` is called with each when it happens.
    """

    def __init__(
        self,
        target: str,
        sink: Sink,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        encoding: str | None = None,
        ca_file: str | None = None,
        limits: Limits | None = None,
        most: int = RECORDED_BYTES,
        spool: Callable[[], BytesIO] | None = None,
        observe: Observe = lambda request: None,
        hear: Callable[[Request], object] = lambda request: None,
        page: OwnPage | None = None,
        warn: Callable[[str], object] = lambda reason: None,
    ) -> None:
        self._origin = upstream_origin(target)
        self._tls = trusting(ca_file) if self._origin.scheme == "https" else None
        self._sink = sink
        self._limits = limits or Limits()
        self._host = host
        self._port = port
        self._listener: asyncio.Server | None = None
        self._links: set[TapLink] = set()
        self._keeping: set[asyncio.Future[Any]] = set()
        self._warn = warn
        self._encoding = encoding
        self._most, self._spool = most, spool
        self._observe = observe
        self._hear = hear
        self._claims = None if page is None else page.claims
        self._hub = None if page is None else Hub(page.answer, LogicalClock(), ServerLimits())
        self.errors: list[Exception] = []
        self.unrecorded: list[str] = []
        self.finished = 0

    @property
    def origin(self) -> str:
        """Scheme and authority of the target."""
        return f"{self._origin.scheme}://{self._origin.authority}"

    @property
    def port(self) -> int:
        """The port that the tap listens on, once started."""
        return self._port

    @property
    def url(self) -> str:
        """The URL for clients, without a trailing slash."""
        return url_of("http", self._host, self._port)

    async def start(self) -> None:
        """Start listening. Raises `UsageFault` if the address cannot be bound."""
        self._listener = await listen(self._build_connection, self._host, self._port)
        self._port = port_of(self._listener)

    def _build_connection(self) -> asyncio.Protocol:
        wire = Wiretap(
            self._origin.authority,
            encoding=self._encoding,
            most=self._most,
            observe=self._observe,
            hear=self._hear,
            claims=self._claims,
            origin=self.origin,
            spool=self._spool,
        )
        link = TapLink(self, wire, has_page=self._hub is not None)
        self._links.add(link)
        return ClientEnd(link)

    async def stop(self) -> None:
        """Stop listening. Waits up to a second for open requests, then aborts their connections."""
        if self._listener is None:
            return
        self._listener.close()
        until = time.monotonic() + 1.0
        while any(link.waiting for link in self._links) and time.monotonic() < until:
            await asyncio.sleep(0.01)
        tasks: list[asyncio.Task[Any] | None] = []
        for link in tuple(self._links):
            tasks += link.stop()
        if self._hub is not None:
            tasks += [connection.stop() for connection in tuple(self._hub.connections)]
        await asyncio.gather(*filter(None, tasks), *self._keeping, return_exceptions=True)
        while self._links:  # the loop calls connection_lost in its next iterations
            await asyncio.sleep(0)
        await self._listener.wait_closed()
        self._listener = None

    async def __aenter__(self) -> Tap:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    # Called by links.

    async def dial(self, link: TapLink) -> None:
        """Connect a link upstream, through the environment's proxy if one applies. Raises NoConnection."""
        await dial_upstream(UpstreamEnd(link), self._origin, self._tls, self._limits)

    def keep(self, exchanges: Iterable[Exchange]) -> Awaitable[object] | None:
        """Pass finished exchanges to the sink; what it raises is noted, and the bytes are forwarded regardless."""
        waits: list[Awaitable[object]] = []
        for exchange in exchanges:
            self.finished += 1
            try:
                wait = self._sink(exchange)
            except Exception as error:
                self._note(error)
                continue
            if wait is not None:
                kept = self._watch(wait)
                # To redact a longer body could exceed the client's timeout.
                if exchange.size + len(exchange.request.body) <= IN_MEMORY:
                    waits.append(kept)
        # Shielded, so that cancelling a link meanwhile does not cancel the keeping of its record.
        return asyncio.shield(asyncio.gather(*waits)) if waits else None

    def _watch(self, wait: Awaitable[object]) -> asyncio.Future[Any]:
        """A future that is done when `wait` is. An error of `wait` is only noted; `stop` awaits the future."""
        kept = asyncio.gather(wait, return_exceptions=True)
        self._keeping.add(kept)
        kept.add_done_callback(self._forget_watched)
        return kept

    def _forget_watched(self, kept: asyncio.Future[Any]) -> None:
        self._keeping.discard(kept)
        if not kept.cancelled():
            for result in kept.result():
                if isinstance(result, Exception):
                    self._note(result)

    def answer_here(self, transport: asyncio.Transport, data: bytes) -> None:
        """Let the page answer a connection, on which these bytes have come."""
        assert self._hub is not None
        connection = ServerConnection(self._hub)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        connection.data_received(data)

    def over(self, link: TapLink) -> None:
        """Forget a link whose connections are closed."""
        self._links.discard(link)

    def note_loss(self, reason: str) -> None:
        """Note why something is in no record; only the first hundred reasons are kept."""
        if len(self.unrecorded) < _KEPT_NOTES:
            self.unrecorded.append(reason)
            self._tell(reason)

    def _note(self, error: Exception) -> None:
        if len(self.errors) < _KEPT_NOTES:
            self.errors.append(error)
            self._tell(str(error))

    def _tell(self, reason: str) -> None:
        with contextlib.suppress(Exception):  # a failing callback must not stop the forwarding
            self._warn(reason)
