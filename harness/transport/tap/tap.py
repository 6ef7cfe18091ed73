"""The recording tap: a raw pass-through proxy in front of any server, for clients in any language.

Layer 3. Knows how to listen, how to dial, and the sink of finished exchanges (a callable); `link` handles each
connection. Forwards paths unchanged and rewrites only the Host field (and Accept-Encoding, if asked to). Adds
almost no latency to the first byte: data that cannot end an answer is forwarded before it is parsed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, TypeAlias

from harness.transport.client.dial import trusting
from harness.transport.http1.limits import RECORDED_BYTES, Limits, ServerLimits
from harness.transport.server.connection import Hub
from harness.transport.server.listener import listen, port_of, url_of
from harness.transport.tap.connection_ends import ClientEnd, OverLimitEnd, UpstreamEnd
from harness.transport.tap.dial import dial_upstream, upstream_origin
from harness.transport.tap.door import Door, OwnPage
from harness.transport.tap.exchange_tracker import Observe
from harness.transport.tap.link import TapLink
from harness.wire import Exchange, LogicalClock, Request

_MOST_LINKS = 4096
"""Maximum open connections: a target that leads back here, perhaps through another tap, would use up all."""

_KEPT_NOTES = 100
_GRACE_SECONDS = 1.0
WAITED_BYTES = 8 * 1024 * 1024
"""Clients do not wait for the record of an exchange above this size: redacting it could exceed their timeouts."""

Sink: TypeAlias = Callable[[Exchange], Awaitable[object] | None]
"""Receives every finished exchange, with bodies as they were on the wire, content coding included.

A returned awaitable is done when the exchange is kept; only then does the client get the last byte of the answer,
unless the exchange is very large.
"""


class Tap:
    """Listens between `start()` and `stop()`, or as `async with`; each client gets its own upstream connection.

    `target` is `http[s]://host[:port]`. `encoding` replaces the clients' Accept-Encoding, None leaves it alone;
    `ca_file` names certificates to trust in addition to the system's. Bodies of more than `most` bytes are
    forwarded but not recorded. `observe` returns the observer of the answer to a request, while it passes;
    `hear` is called with each request before any message about it. Requests for `page` get its response and go
    no further. `errors` lists failures to keep a record, `unrecorded` the
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
        self._crowded = False
        self.encoding = encoding
        self.most = most
        self.observe = observe
        self.hear = hear
        self._page = page
        self._doors: set[Door] = set()
        self._hub = None if page is None else Hub(page.answer, LogicalClock(), ServerLimits())
        self.errors: list[Exception] = []
        self.unrecorded: list[str] = []
        self.finished = 0

    @property
    def authority(self) -> str:
        """The value of the Host field that is sent upstream."""
        return self._origin.authority

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
        if self._page is None or self._hub is None:
            return self._new_end()
        return Door(self._page, self._hub, self._new_end, self._doors)

    def _new_end(self) -> asyncio.Protocol:
        """The client's end of a new link."""
        if len(self._links) >= _MOST_LINKS:
            self._refuse_more()
            return OverLimitEnd()
        link = TapLink(self)
        self._links.add(link)
        return ClientEnd(link)

    def _refuse_more(self) -> None:
        if not self._crowded:
            self._crowded = True
            self.note_loss(
                f"{_MOST_LINKS} connections are open, and further ones are reset (does the target lead back here?)"
            )

    async def stop(self) -> None:
        """Stop listening. Waits up to a second for open requests, then aborts their connections."""
        if self._listener is None:
            return
        self._listener.close()
        until = time.monotonic() + _GRACE_SECONDS
        while any(link.waiting for link in self._links) and time.monotonic() < until:
            await asyncio.sleep(0.01)
        tasks: list[asyncio.Task[Any]] = []
        for link in tuple(self._links):
            tasks += link.stop()
        for door in tuple(self._doors):
            door.stop()
        for connection in tuple(self._hub.connections) if self._hub is not None else ():
            task = connection.stop()
            tasks += [] if task is None else [task]
        await asyncio.gather(*tasks, *self._keeping, return_exceptions=True)
        while self._links:  # the loop calls connection_lost in its next iterations
            await asyncio.sleep(0)
        await self._listener.wait_closed()
        self._listener = None

    async def __aenter__(self) -> Tap:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
                if exchange.size + len(exchange.request.body) <= WAITED_BYTES:
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
