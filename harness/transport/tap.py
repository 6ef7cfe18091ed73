"""The recording tap: a raw pass-through proxy in front of any server, for clients in any language.

Layer 3. Knows listening, dialling and what is kept of an exchange (a callable); what happens on a connection is
`tap_link`'s. It forwards paths as they come and changes nothing but the Host field. It adds nothing to the first
byte: an answer goes on while it is read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TypeAlias

from harness.outcome import UsageFault
from harness.transport.limits import Limits
from harness.transport.tap_dial import dial_upstream, upstream_origin, upstream_tls
from harness.transport.tap_link import ClientEnd, Link
from harness.wire import Exchange

_BACKLOG = 1024
_KEPT_NOTES = 100
_GRACE_SECONDS = 1.0

Sink: TypeAlias = Callable[[Exchange], Awaitable[object] | None]
"""Gets every finished exchange, bodies as they were on the wire, content coding included.

An awaitable says when the exchange is kept; the client gets the last byte of the answer then. `notes["reason"]`
is the answer's reason phrase.
"""


class Tap:
    """Listens between `start()` and `stop()`, or as `async with`; every client connection gets one upstream.

    `target` is `http[s]://host[:port]`. `encoding` replaces the clients' Accept-Encoding, None leaves it alone;
    `ca_file` names certificates to trust besides the system's. `errors` are failures to keep a record,
    `unrecorded` the reasons why bytes passed that are in no record.
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
    ) -> None:
        self._origin = upstream_origin(target)
        self._tls = upstream_tls(ca_file) if self._origin.scheme == "https" else None
        self._sink = sink
        self._limits = limits or Limits()
        self._host = host
        self._port = port
        self._listener: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._keeping: set[asyncio.Future[list[object]]] = set()
        self.encoding = encoding
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
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Listen; raises `UsageFault` when the address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._link, self._host, self._port, backlog=_BACKLOG)
        except OSError as error:
            raise UsageFault(
                f"cannot listen on {self._host}:{self._port} ({error.strerror or error}): "
                "choose another host or port (0 takes a free one)"
            ) from error
        self._port = self._listener.sockets[0].getsockname()[1]

    def _link(self) -> asyncio.Protocol:
        link = Link(self)
        self._links.add(link)
        return ClientEnd(link)

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
            if link.waiting:
                self.lost("the recorder was stopped while an answer was still coming")
            tasks += link.abort()
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
                waits.append(wait)
        if not waits:
            return None
        kept = asyncio.gather(*waits, return_exceptions=True)
        self._keeping.add(kept)
        kept.add_done_callback(self._kept)
        return asyncio.shield(kept)  # a link that is cut off meanwhile takes no record with it

    def _kept(self, kept: asyncio.Future[list[object]]) -> None:
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

    def _note(self, error: Exception) -> None:
        if len(self.errors) < _KEPT_NOTES:
            self.errors.append(error)
