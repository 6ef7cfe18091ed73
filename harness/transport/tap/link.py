"""A client connection and its upstream connection: forwards bytes and endings in both directions and records them.

Knows two asyncio transports and their back-pressure; must not know HTTP (`exchange_tracker`) or the listener
(`tap`). Data is forwarded as soon as it is parsed. Only the end of an answer (its last chunk, or its last byte) is
held until its record is kept: so an answer that a client has received whole is on disk, whatever happens to the
recorder.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Protocol, cast

from harness.transport.client.origin import NoConnection
from harness.transport.server.connection import reset_after, reset_now, unread, write
from harness.transport.tap.exchange_tracker import Wiretap
from harness.wire import By, Ending, Exchange, How

_EARLY_BYTES = 256 * 1024
_DRAIN_SECONDS = 5.0
_LINGER_SECONDS = 1.0


class Switchboard(Protocol):
    """The part of its tap that a link needs."""

    async def dial(self, link: TapLink) -> None:
        """Connect a link upstream. Raises NoConnection."""

    def keep(self, exchanges: Iterable[Exchange]) -> Awaitable[object] | None:
        """Keep finished exchanges. Never raises. The awaitable is done once they are kept; None: do not wait."""

    def answer_here(self, transport: asyncio.Transport, data: bytes) -> None:
        """Let the page answer a connection, on which these bytes have come."""

    def over(self, link: TapLink) -> None:
        """Both connections are closed."""

    def note_loss(self, reason: str) -> None:
        """Note that something is forwarded but in no record, and why."""


class TapLink:
    """The pair of connections. Its two ends only report their events to it."""

    def __init__(self, tap: Switchboard, wire: Wiretap, *, has_page: bool = False) -> None:
        self._tap = tap
        self._loop = asyncio.get_running_loop()
        self._wire = wire
        self._has_page = has_page
        self._client = cast("asyncio.Transport", None)
        self._upstream: asyncio.Transport | None = None
        self._early = bytearray()
        self._held = bytearray()  # from upstream, and not yet forwarded
        self._failed: Ending | None = None
        self._closed = False  # set when either side ends, which ends both
        self._keeping = False  # a record is being kept, and `_later` waits for it
        self._later: deque[Callable[[], None]] = deque()
        self._quiet: dict[str, set[str]] = {"client": set(), "upstream": set()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._standing = {"client"}
        self._is_dialled = False
        self._left: How | None = None

    @property
    def waiting(self) -> list[str]:
        """Requests without a complete answer."""
        return [] if self._closed else self._wire.waiting

    # From the client.

    def client_came(self, transport: asyncio.Transport) -> None:
        """The client is connected: connect upstream too; beside a page, only once there is something to send."""
        # Not before it comes, although its first byte waits for this. A server that takes one connection at a
        # time, such as Python's own, would wait for a request on the spare one forever. Nor is one kept
        # for the next client: a server may be closing it just then, and a create that is lost cannot be repeated.
        self._client = transport
        if not self._has_page:
            self._dial()

    def _dial(self) -> None:
        self._is_dialled = True
        self._standing.add("upstream")
        self._start_task(self._connect()).add_done_callback(self._finish_dial)

    async def _connect(self) -> None:
        try:
            await self._tap.dial(self)
        except NoConnection as none:
            self._failed = none.ending
            self._give_up()

    def _finish_dial(self, dial: asyncio.Task[None]) -> None:
        # uvloop closes a connection whose dial is cancelled in its last step without a call of the protocol
        if self._upstream is None or dial.cancelled():
            self.note_closed("upstream")

    def from_client(self, data: bytes) -> None:
        """Forward bytes of requests upstream; before there is a connection, buffer them."""
        if self._closed:
            return
        sent = self._wire.upward(data, self._loop.time())
        if sent.data and not self._is_dialled:
            self._dial()
        if self._upstream is not None:
            write(self._upstream, sent.data)
        self._wire.show()
        self._tell()
        if sent.finished:
            self._tap.keep(sent.finished)
        if self._wire.requests.turned_away:
            if self._is_dialled:
                self.client_left(How.FIN)  # a browser asks again on a new connection, where it is answered
            else:
                self._closed = True
                self._tap.answer_here(self._client, self._wire.requests.unsent)
                self._tap.over(self)
            return
        if self._upstream is not None:
            return
        self._early += sent.data
        if self._failed is not None:
            self._give_up()
        elif len(self._early) > _EARLY_BYTES:
            self.hush("client", "early")

    def _give_up(self) -> None:
        """Dialling failed: once there is a request to answer, end the client's connection the same way."""
        failed = self._failed
        asked = self._wire.waiting or self._wire.lost or len(self._early) > _EARLY_BYTES
        if failed is not None and not self._closed and asked:
            self._close(failed.by, failed.how, failed.detail, self._end_client)

    def client_left(self, how: How) -> None:
        """The client closed (`FIN`) or reset: do the same upstream. A half-closed client counts as gone."""
        if self._closed:
            self._client.close()
        else:
            self._close(By.CLIENT, how, "", self._end_upstream)

    # From upstream.

    def upstream_came(self, transport: asyncio.Transport) -> None:
        """Connected upstream: send what the client has sent meanwhile."""
        self._upstream = transport
        write(transport, bytes(self._early))
        self._early.clear()
        if self._left is not None:
            self._end_upstream(self._left)
        else:
            self.unhush("client", "early")

    def from_upstream(self, data: bytes) -> None:
        """Forward bytes of answers to the client; hold the end of an answer until its record is kept."""
        if self._keeping:
            self._later.append(lambda: self.from_upstream(data))
            return
        if self._closed:
            return
        passed = self._wire.downward(data, self._loop.time())
        self._held += passed.data
        kept = self._tap.keep(passed.finished) if passed.finished else None
        if kept is None:
            self._release(passed.open)
        else:
            self._release(passed.ending)
            self._act_after(kept, lambda: self._release(passed.open))
        self._tell()

    def _release(self, kept_back: int) -> None:
        """Forward what is held, except for so many bytes at its end."""
        size = len(self._held) - kept_back
        if size > 0:
            write(self._client, bytes(memoryview(self._held)[:size]))
            del self._held[:size]

    def upstream_left(self, how: How, detail: str = "", *, torn: bool = False) -> None:
        """Upstream closed or reset; `torn` means that it closed without TLS's close_notify."""
        if self._keeping:
            self._later.append(lambda: self.upstream_left(how, detail, torn=torn))
        elif not self._closed:
            self._close(By.SERVER, how, detail, self._end_client, torn=torn)

    # The end.

    def _close(self, by: By, how: How, detail: str, action: Callable[[How], None], *, torn: bool = False) -> None:
        """Record what is open, then forward the ending with `action`."""
        self._held += self._wire.rest()
        finished = self._wire.end(by, how, self._loop.time(), detail, torn=torn)
        self._tell()
        self._closed = True
        kept = self._tap.keep(finished) if finished else None

        def end() -> None:
            self._release(0)
            action(how)

        if kept is None:
            end()
        else:
            self._act_after(kept, end)

    def _act_after(self, kept: Awaitable[object], action: Callable[[], None]) -> None:
        """Run `action` once `kept` is done, and handle whatever arrives meanwhile after that."""
        if self._keeping:
            self._later.append(lambda: self._act_after(kept, action))
            return
        self._keeping = True
        self.hush("upstream", "keeping")
        self._start_task(self._wait(kept, action))

    async def _wait(self, kept: Awaitable[object], action: Callable[[], None]) -> None:
        await kept
        action()
        self._keeping = False
        self.unhush("upstream", "keeping")
        while self._later and not self._keeping:  # the postponed calls, until one has to wait for a record again
            self._later.popleft()()

    def _end_client(self, how: How) -> None:
        """Show the client what we saw: a FIN, or a reset once everything before it has arrived."""
        if how is not How.FIN:
            self._start_task(reset_after(self._client, b"", seconds=_DRAIN_SECONDS))
        elif self._client.can_write_eof() and not self._client.is_closing():
            self._client.write_eof()
            self._loop.call_later(_LINGER_SECONDS, self._close_when_written)
        else:
            self._client.close()

    def _close_when_written(self) -> None:
        if self._client.get_write_buffer_size() and not self._client.is_closing():
            self._loop.call_later(_LINGER_SECONDS, self._close_when_written)
        else:
            self._client.close()

    def _end_upstream(self, how: How) -> None:
        self._client.close()
        if self._upstream is None:
            self._left = how  # what the client sent before it left must still be sent upstream
        elif how is How.FIN:
            self._upstream.close()
            self._loop.call_later(_LINGER_SECONDS, self._leave_upstream, self._upstream)
        else:
            reset_now(self._upstream)

    def _leave_upstream(self, transport: asyncio.Transport) -> None:
        """Abort a close that is still waiting for TLS's close_notify; unsent bytes get a few more seconds."""
        if transport.get_write_buffer_size():
            self._loop.call_later(_DRAIN_SECONDS, transport.abort)
        else:
            transport.abort()

    def note_closed(self, side: str) -> None:
        """Note that one connection is closed; the link is over when both are."""
        self._standing.discard(side)
        if not self._standing:
            self._tap.over(self)

    def stop(self) -> set[asyncio.Task[None]]:
        """Record what has arrived of answers and abort both connections; return the tasks still to finish."""
        if not self._closed:
            finished = self._wire.stop(self._loop.time())
            self._tell()
            self._tap.keep(finished)
        self._closed = True
        self._client.abort()
        if self._upstream is not None:
            self._upstream.abort()
        for task in self._tasks:
            task.cancel()
        return set(self._tasks)

    # Back-pressure and helpers.

    def hush(self, side: str, reason: str) -> None:
        """Stop reading from one side until no `reason` is left."""
        self._quiet[side].add(reason)
        self._heed(side)

    def unhush(self, side: str, reason: str) -> None:
        """Remove one reason; reading resumes with the last."""
        if reason in self._quiet[side]:
            self._quiet[side].remove(reason)
            self._heed(side)

    def _heed(self, side: str) -> None:
        transport = self._client if side == "client" else self._upstream
        if transport is None or transport.is_closing():
            return
        if self._quiet[side]:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _tell(self) -> None:
        for note in self._wire.notes():
            self._tap.note_loss(note)

    def _start_task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


# The two ends of a link as asyncio protocols: they only report events, and how a connection ended.


class _End(asyncio.Protocol):
    """One end of a link. While its write buffer is full, nothing is read from the other end."""

    other = ""

    def __init__(self, link: TapLink) -> None:
        self._link = link

    def pause_writing(self) -> None:
        self._link.hush(self.other, "full")

    def resume_writing(self) -> None:
        self._link.unhush(self.other, "full")


class ClientEnd(_End):
    """The client's end of a link."""

    other = "upstream"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link.client_came(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        self._link.from_client(data)

    def eof_received(self) -> None:
        self._link.client_left(How.FIN)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.client_left(How.FIN if exc is None else How.RST)
        self._link.note_closed("client")


class UpstreamEnd(_End):
    """The end towards the target."""

    other = "client"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._link.upstream_came(self._transport)

    def data_received(self, data: bytes) -> None:
        self._link.from_upstream(data)

    def eof_received(self) -> None:
        self._send_fin()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._send_fin()
        else:
            # Hand over data that arrived before a reset: after a failed write, event loops do not read any more.
            if self._transport.get_extra_info("ssl_object") is None:
                for data in unread(self._transport.get_extra_info("socket")):
                    self._link.from_upstream(data)
            how = How.TIMEOUT if isinstance(exc, TimeoutError) else How.RST
            how = How.TLS if isinstance(exc, ssl.SSLError) else how
            self._link.upstream_left(how, getattr(exc, "strerror", None) or str(exc))
        self._link.note_closed("upstream")

    def _send_fin(self) -> None:
        # If TLS ended without close_notify, the data may have been truncated on the way. Event loops do not report
        # this, but one more read of the TLS object does: after close_notify it is at its end, else it wants data.
        tls = self._transport.get_extra_info("ssl_object")
        try:
            torn = tls is not None and tls.read(1) != b""
        except ssl.SSLZeroReturnError:
            torn = False
        except ssl.SSLError:
            torn = True
        self._link.upstream_left(How.FIN, "TLS ended without close_notify" if torn else "", torn=torn)
