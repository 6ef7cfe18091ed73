"""A client's connection and the one upstream that belongs to it: bytes pass, endings pass, a record stays.

Layer 3. Knows two asyncio transports and their back-pressure; must not know HTTP (`tap_wire`) nor who listens
(`tap`). What arrives goes on at once. Only the last byte of an answer waits until its record is kept: so whoever
has seen an answer whole finds it on the disk, whatever happens to the recorder.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Protocol, cast

from harness.transport.dial import NoConnection
from harness.transport.resetting import reset_after, reset_now, write
from harness.transport.tap_ends import UpstreamEnd
from harness.transport.tap_wire import Wiretap
from harness.wire import By, Ending, Exchange, How

_EARLY_BYTES = 256 * 1024
_DRAIN_SECONDS = 5.0
_LINGER_SECONDS = 1.0
_AFTER_SECONDS = 0.001
"""When to take note of what went on unseen: whoever waits for it may need this processor first."""


class Switchboard(Protocol):
    """What a link needs of the tap it belongs to."""

    @property
    def authority(self) -> str: ...

    @property
    def encoding(self) -> str | None: ...

    @property
    def most(self) -> int: ...

    async def dial(self, protocol: asyncio.Protocol) -> None:
        """Connect upstream; raises NoConnection."""

    def keep(self, exchanges: Iterable[Exchange]) -> Awaitable[object] | None:
        """Hand over what finished; the awaitable is done once it is kept, None: nothing to wait for. No raise."""

    def over(self, link: Link) -> None:
        """Both connections are closed."""

    def lost(self, reason: str) -> None:
        """Something passes that will be in no record, because of `reason`."""


class Link:
    """The pair. Its two ends are in `tap_ends` and only hand over what happens to them."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._loop = asyncio.get_running_loop()
        self._wire = Wiretap(board.authority, encoding=board.encoding, most=board.most)
        self._client = cast("asyncio.Transport", None)
        self._upstream: asyncio.Transport | None = None
        self._early = bytearray()
        self._failed: Ending | None = None
        self._closed = False  # one side is over, so both are
        self._ahead: tuple[bytes, float] | None = None  # what went on unseen, and when it came
        self._noting = False  # `_note` comes soon
        self._keeping = False  # a record is being kept, and `_later` waits for it
        self._later: deque[Callable[[], None]] = deque()
        self._quiet: dict[str, set[str]] = {"client": set(), "upstream": set()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._standing = {"client", "upstream"}
        self._left: How | None = None

    @property
    def waiting(self) -> list[str]:
        """Requests without a whole answer."""
        self._catch_up()
        return [] if self._closed else self._wire.waiting

    # From the client.

    def client_came(self, transport: asyncio.Transport) -> None:
        """The client is connected; so shall we be upstream."""
        self._client = transport
        self._task(self._connect()).add_done_callback(self._dialled)

    async def _connect(self) -> None:
        try:
            await self._board.dial(UpstreamEnd(self))
        except NoConnection as none:
            self._failed = none.ending
            self._give_up()

    def _dialled(self, _: object) -> None:
        if self._upstream is None:
            self.gone("upstream")

    def from_client(self, data: bytes) -> None:
        """Bytes of requests."""
        if self._closed:
            return
        self._catch_up()
        sent = self._wire.upward(data, self._loop.time())
        self._tell()
        if sent.finished:
            self._board.keep(sent.finished)
        if self._upstream is not None:
            write(self._upstream, sent.data)
            return
        self._early += sent.data
        if self._failed is not None:
            self._give_up()
        elif len(self._early) > _EARLY_BYTES:
            self.hush("client", "early")

    def _give_up(self) -> None:
        """There is no upstream: every whole request ends before its headers, and with it the connection."""
        failed = self._failed
        asked = self._wire.waiting or self._wire.lost or len(self._early) > _EARLY_BYTES
        if failed is not None and not self._closed and asked:
            self._close(failed.by, failed.how, failed.detail, self._end_client)

    def client_left(self, how: How) -> None:
        """The client closed (`FIN`) or reset: so do we upstream. A half-closed client counts as gone."""
        if self._closed:
            self._client.close()
        else:
            self._close(By.CLIENT, how, "", self._end_upstream)

    # From upstream.

    def upstream_came(self, transport: asyncio.Transport) -> None:
        """Connected: what the client said meanwhile goes out."""
        self._upstream = transport
        write(transport, bytes(self._early))
        self._early.clear()
        if self._left is not None:
            self._end_upstream(self._left)
        else:
            self.unhush("client", "early")

    def from_upstream(self, data: bytes) -> None:
        """Bytes of answers."""
        if self._keeping:
            self._later.append(lambda: self.from_upstream(data))
            return
        if self._closed:
            return
        self._catch_up()
        if self._wire.passes(data):
            write(self._client, data)
            self._ahead = data, self._loop.time()
            if not self._noting:
                self._noting = True
                self._loop.call_later(_AFTER_SECONDS, self._note)
            return
        passed = self._wire.downward(data, self._loop.time())
        kept = self._board.keep(passed.finished) if passed.finished else None
        if kept is None:
            write(self._client, data)
        else:
            if passed.safe:
                write(self._client, data[: passed.safe])
            self._after(kept, lambda: write(self._client, data[passed.safe :]))
        self._tell()

    def _note(self) -> None:
        self._noting = False
        self._catch_up()

    def _catch_up(self) -> None:
        """Take note of what went on to the client unseen."""
        if self._ahead is not None:
            (data, when), self._ahead = self._ahead, None
            finished = self._wire.downward(data, when).finished
            if finished:  # broken off here: it was no whole answer
                self._board.keep(finished)
            self._tell()

    def upstream_left(self, how: How, detail: str = "", *, torn: bool = False) -> None:
        """Upstream closed or reset; `torn`: it closed without the goodbye that TLS demands."""
        if self._keeping:
            self._later.append(lambda: self.upstream_left(how, detail, torn=torn))
        elif not self._closed:
            self._close(By.SERVER, how, detail, self._end_client, torn=torn)

    # The end.

    def _close(self, by: By, how: How, detail: str, action: Callable[[How], None], *, torn: bool = False) -> None:
        """Record what is open, then pass the ending on by `action`."""
        self._catch_up()
        finished = self._wire.ended(by, how, self._loop.time(), detail, torn=torn)
        self._tell()
        self._closed = True
        kept = self._board.keep(finished) if finished else None
        if kept is None:
            action(how)
        else:
            self._after(kept, lambda: action(how))

    def _after(self, kept: Awaitable[object], action: Callable[[], None]) -> None:
        """Do `action` once `kept` is done, and whatever comes meanwhile after that."""
        if self._keeping:
            self._later.append(lambda: self._after(kept, action))
            return
        self._keeping = True
        self.hush("upstream", "keeping")
        self._task(self._wait(kept, action))

    async def _wait(self, kept: Awaitable[object], action: Callable[[], None]) -> None:
        await kept
        action()
        self._keeping = False
        self.unhush("upstream", "keeping")
        self._go_on()

    def _go_on(self) -> None:
        """Do what waited, until something has to wait again."""
        while self._later and not self._keeping:
            self._later.popleft()()

    def _end_client(self, how: How) -> None:
        """Let the client see what we saw: a FIN, else a reset once everything before it has arrived."""
        if how is not How.FIN:
            self._task(reset_after(self._client, b"", seconds=_DRAIN_SECONDS))
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
            self._left = how  # what the client said before it left is still to be said
        elif how is How.FIN:
            self._upstream.close()
            self._loop.call_later(_LINGER_SECONDS, self._leave_upstream, self._upstream)
        else:
            reset_now(self._upstream)

    def _leave_upstream(self, transport: asyncio.Transport) -> None:
        """Over TLS closing waits for the other side's goodbye: no longer than it has bytes to take."""
        if transport.get_write_buffer_size():
            self._loop.call_later(_DRAIN_SECONDS, transport.abort)
        else:
            transport.abort()

    def gone(self, side: str) -> None:
        """A connection is closed for good; the link is over with the second one."""
        self._standing.discard(side)
        if not self._standing:
            self._board.over(self)

    def stop(self) -> set[asyncio.Task[None]]:
        """Record what has come of answers and close both at once; the tasks that are still to end."""
        if not self._closed:
            self._catch_up()
            finished = self._wire.stopped(self._loop.time())
            self._tell()
            self._board.keep(finished)
        self._closed = True
        self._client.abort()
        if self._upstream is not None:
            self._upstream.abort()
        for task in self._tasks:
            task.cancel()
        return set(self._tasks)

    # Odds.

    def hush(self, side: str, reason: str) -> None:
        """Stop reading from one side as long as there is a `reason`."""
        self._quiet[side].add(reason)
        self._heed(side)

    def unhush(self, side: str, reason: str) -> None:
        """One reason less not to read."""
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
            self._board.lost(note)

    def _task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
