"""The recording tap: a raw pass-through proxy in front of any server, for clients in any language.

Layer 3. Knows listening, dialling and what is kept of an exchange (a callable); what happens on a connection is
`tap_link`'s. It forwards paths as they come and changes nothing but the Host field. It adds next to nothing
to the first byte: what cannot be the end of an answer goes on before it is looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, TypeAlias

from harness.transport.dial import trusting
from harness.transport.limits import RECORDED_BYTES, Limits
from harness.transport.listening import listen, port_of, url_of
from harness.transport.tap_dial import dial_upstream, upstream_origin
from harness.transport.tap_ends import ClientEnd, Refused
from harness.transport.tap_link import Link
from harness.wire import Exchange

_MOST_LINKS = 4096
"""Connections at once: a target that leads back here, through another tap say, would take all there are."""

_KEPT_NOTES = 100
_GRACE_SECONDS = 1.0
_WAITED_BYTES = 8 * 1024 * 1024
"""No client waits for the record of more than this: to take secrets out of it lasts longer than clients do."""

Sink: TypeAlias = Callable[[Exchange], Awaitable[object] | None]
"""Gets every finished exchange, bodies as they were on the wire, content coding included.

An awaitable says when the exchange is kept; the client gets the last byte of the answer then, unless it is a very
large one.
"""


class Tap:
    """Listens between `start()` and `stop()`, or as `async with`; every client connection gets one upstream.

    `target` is `http[s]://host[:port]`. `encoding` replaces the clients' Accept-Encoding, None leaves it alone;
    `ca_file` names certificates to trust besides the system's. Bodies of more than `most` bytes pass unrecorded.
    `errors` are failures to keep a record, `unrecorded` the reasons why bytes passed that are in no record; `warn`
    is told of either when it happens.
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
        warn: Callable[[str], object] = lambda reason: None,
    ) -> None:
        self._origin = upstream_origin(target)
        self._tls = trusting(ca_file) if self._origin.scheme == "https" else None
        self._sink = sink
        self._limits = limits or Limits()
        self._host = host
        self._port = port
        self._listener: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._keeping: set[asyncio.Future[Any]] = set()
        self._warn = warn
        self._crowded = False
        self.encoding = encoding
        self.most = most
        self.errors: list[Exception] = []
        self.unrecorded: list[str] = []
        self.finished = 0

    @property
    def authority(self) -> str:
        """What the Host field says upstream."""
        return self._origin.authority

    @property
    def origin(self) -> str:
        """Scheme and authority of the target."""
        return f"{self._origin.scheme}://{self._origin.authority}"

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    @property
    def url(self) -> str:
        """Where clients find it, without a trailing slash."""
        return url_of("http", self._host, self._port)

    async def start(self) -> None:
        """Listen; raises `UsageFault` when the address cannot be had."""
        self._listener = await listen(self._link, self._host, self._port)
        self._port = port_of(self._listener)

    def _link(self) -> asyncio.Protocol:
        if len(self._links) >= _MOST_LINKS:
            self._refuse_more()
            return Refused()
        link = Link(self)
        self._links.add(link)
        return ClientEnd(link)

    def _refuse_more(self) -> None:
        if not self._crowded:
            self._crowded = True
            self.lost(
                f"{_MOST_LINKS} connections are open, and further ones are reset (does the target lead back here?)"
            )

    async def stop(self) -> None:
        """Stop listening; clients that are about to leave may, within a second, what is open then is cut off."""
        if self._listener is None:
            return
        self._listener.close()
        until = time.monotonic() + _GRACE_SECONDS
        while any(link.waiting for link in self._links) and time.monotonic() < until:
            await asyncio.sleep(0.01)
        tasks: list[asyncio.Task[None]] = []
        for link in tuple(self._links):
            tasks += link.stop()
        await asyncio.gather(*tasks, *self._keeping, return_exceptions=True)
        while self._links:  # connection_lost comes with the loop's next turns
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

    # What links ask for.

    async def dial(self, protocol: asyncio.Protocol) -> None:
        """Connect upstream, through the environment's proxy where one applies; raises NoConnection."""
        await dial_upstream(protocol, self._origin, self._tls, self._limits)

    def keep(self, exchanges: Iterable[Exchange]) -> Awaitable[object] | None:
        """Hand finished exchanges to the sink; whatever it raises is noted, and the bytes pass all the same."""
        waits: list[Awaitable[object]] = []
        for exchange in exchanges:
            self.finished += 1
            try:
                wait = self._sink(exchange)
            except Exception as error:
                self._note(error)
                continue
            if wait is not None:
                kept = self._watched(wait)
                if exchange.size + len(exchange.request.body) <= _WAITED_BYTES:
                    waits.append(kept)
        # Shielded, so that a link that is cut off meanwhile takes no record with it.
        return asyncio.shield(asyncio.gather(*waits)) if waits else None

    def _watched(self, wait: Awaitable[object]) -> asyncio.Future[Any]:
        """Done when `wait` is, without its error, which is noted; `stop` waits for it."""
        kept = asyncio.gather(wait, return_exceptions=True)
        self._keeping.add(kept)
        kept.add_done_callback(self._kept)
        return kept

    def _kept(self, kept: asyncio.Future[Any]) -> None:
        self._keeping.discard(kept)
        if not kept.cancelled():
            for result in kept.result():
                if isinstance(result, Exception):
                    self._note(result)

    def over(self, link: Link) -> None:
        """A link is done."""
        self._links.discard(link)

    def lost(self, reason: str) -> None:
        """Remember why something is in no record; the first hundred reasons."""
        if len(self.unrecorded) < _KEPT_NOTES:
            self.unrecorded.append(reason)
            self._tell(reason)

    def _note(self, error: Exception) -> None:
        if len(self.errors) < _KEPT_NOTES:
            self.errors.append(error)
            self._tell(str(error))

    def _tell(self, reason: str) -> None:
        with contextlib.suppress(Exception):  # nobody who listens may stop what passes
            self._warn(reason)
