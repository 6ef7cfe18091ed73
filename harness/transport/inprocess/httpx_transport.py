"""One in-process transport for clients of `httpx` and of `httpx2`, sync and async.

Knows the transport interface and the exceptions of these libraries; `observed` decides what a client would see.
Only a request shows which library is sending; the class of bodies for that library is made then. Time is logical:
a pause moves the clock and counts against the read timeout of the request, if it has one.

An async client is suspended wherever a socket would suspend it: before the request is sent, before the head,
before each piece of the body, and for as long as the service is silent. So timeouts, cancellation and other tasks
work.
"""

from __future__ import annotations

import importlib
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache
from typing import Any, TypeAlias

import httpx
from msgspec.structs import replace

from harness.transport.http1.heads import field_bytes
from harness.transport.http1.observed import ResponseView
from harness.transport.http1.reader import Limits
from harness.transport.inprocess.tee_transports import request_of
from harness.wire import At, Chunk, Clock, Ending, How, LogicalClock, Pause, Service

_ERRORS = {
    How.FIN: "RemoteProtocolError",
    How.BAD_HTTP: "RemoteProtocolError",
    How.RST: "ReadError",
    How.STALL: "ReadTimeout",
    How.REFUSED: "ConnectError",
    How.TLS: "ConnectError",
}
"""What the libraries raise over a socket for each kind of ending; over TLS they see a reset differently."""

Wait: TypeAlias = Callable[[float], Awaitable[None]]
"""Suspends the task that reads while the service is silent for so many seconds of logical time."""


async def wait_one_turn(seconds: float) -> None:
    """Let the other tasks of the event loop take a turn; the loop's own clock does not move."""
    from anyio.lowlevel import checkpoint  # both libraries depend on it

    await checkpoint()


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Responses from `service`, without sockets or waiting; `clock` is the service's own.

    Pass it as `transport=` to a client of either library; `httpx2` requires no base class of its own. An async
    client is suspended by `wait` while the service is silent. `before_sync` is called before each request of a
    sync client, `note_endless` when a client without a read timeout has sat out a silence that has no end.
    """

    def __init__(
        self,
        service: Service,
        clock: Clock | None = None,
        *,
        limits: Limits | None = None,
        wait: Wait = wait_one_turn,
        before_sync: Callable[[], object] = lambda: None,
        note_endless: Callable[[], object] = lambda: None,
    ) -> None:
        self.service = service
        self.clock = clock or LogicalClock()
        self.limits = limits or Limits()
        self.wait = wait
        self.note_endless = note_endless
        self._before_sync = before_sync

    def handle_request(self, request: Any) -> Any:
        """Return the response to a sync client."""
        self._before_sync()
        reading = _Reading(self, request, request.read())
        reading.awake()
        return reading.respond()

    async def handle_async_request(self, request: Any) -> Any:
        """Return the response to an async client; other tasks run wherever a socket waits."""
        data = await request.aread()
        await wait_one_turn(0)  # who is cancelled here has sent nothing
        reading = _Reading(self, request, data)
        await reading.suspend()
        return reading.respond()


transport = Transport


@cache
def _load_library(name: str) -> tuple[Any, Any]:
    """A library, and its class of a body: the bases of that belong to it."""
    library: Any = importlib.import_module(name)

    class Body(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, reading: _Reading) -> None:
            self._reading = reading

        def __iter__(self) -> Iterator[bytes]:
            reading = self._reading
            while (data := reading.next()) is not None:
                if data:
                    yield data
                else:
                    if reading.may_wait:
                        time.sleep(0)
                    reading.awake()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while (data := self._reading.next()) is not None:
                await self._reading.suspend()
                if data:
                    yield data

        def close(self) -> None:
            self._reading.close()

        async def aclose(self) -> None:
            self._reading.close()

    return library, Body


class _Reading:
    """One response, shared by the sync and async bodies; raises the library's exceptions."""

    def __init__(self, transport: Transport, request: Any, data: bytes) -> None:
        """If the connection ends before the body, `awake` raises; otherwise it may be called all the same."""
        self._library, self._body = _load_library(type(request).__module__.partition(".")[0])
        self._transport = transport
        self._request = request
        self._clock, usual = transport.clock, transport.limits.idle_seconds
        patience = request.extensions.get("timeout", {"read": usual}).get("read")
        self._patience = math.inf if patience is None else patience
        self._most_silence = usual if patience is None else patience
        self._idle = 0.0
        self._pauses = 0
        self._wake: float | None = None
        self._failure: Exception | None = None
        self._endless = False
        self._seen = ResponseView(transport.service, request_of(request, data))
        if self._seen.dead is not None:
            self._seen.close()
            self._fail(self._seen.dead)

    def next(self) -> bytes | None:
        """The next bytes, None at the end; `b""` at a pause or a wrong ending: then wait, and call `awake`."""
        while True:
            piece = self._seen.pull()
            if isinstance(piece, Chunk):
                if piece.data:
                    self._idle = self._pauses = 0
                    return piece.data
                self._count_pause()
            elif isinstance(piece, Pause):
                self._pause(piece.seconds)
                return b""
            elif piece.complete:
                return None
            else:
                self._fail(piece)
                return b""

    @property
    def may_wait(self) -> bool:
        """Whether a pause is under way that a thread of the client may have to end; to let one run takes 50 µs."""
        if self._wake is None:
            return False
        return self._pauses > 1 or sum(not one.name.startswith("harness-") for one in threading.enumerate()) > 1

    def _count_pause(self) -> None:
        self._pauses += 1
        most = self._transport.limits.pauses
        if self._pauses > most:
            raise self._build_error(Ending(how=How.STALL, detail=f"more than {most} pauses in a row"))

    def _pause(self, seconds: float) -> None:
        self._count_pause()
        if seconds > self._patience - self._idle:
            self._fail(Ending(how=How.STALL))
            return
        self._idle += seconds
        self._wake = self._clock.now + seconds

    def awake(self) -> None:
        """End the pause: move the clock to its end, and raise what the client sees of the ending after it."""
        if self._wake is not None:
            self._clock.reached(self._wake)
            self._wake = None
        if self._endless:
            self._transport.note_endless()
        if self._failure is not None:
            raise self._failure

    async def suspend(self) -> None:
        """Do the same when `wait` has let the silence pass, or after one turn of the loop if there is none."""
        try:
            if self._wake is None:
                await wait_one_turn(0)
            else:
                await self._transport.wait(max(0.0, self._wake - self._clock.now))
            self.awake()
        except BaseException:  # cancelled, perhaps: the response has no reader any more
            self.close()
            raise

    def respond(self) -> Any:
        """The response of the library."""
        fields = [(name.encode("ascii"), field_bytes(value)) for name, value in self._seen.headers]
        return self._library.Response(
            self._seen.status, headers=fields, stream=self._body(self), extensions={"http_version": b"HTTP/1.1"}
        )

    def _fail(self, ending: Ending) -> None:
        """Let the client see an ending; a stall first takes the rest of the read timeout.

        A client without one would wait for ever, which no test can.
        """
        if ending.how is not How.STALL:
            self._failure = self._build_error(ending)
            return
        left = max(0.0, self._most_silence - self._idle)
        self._wake = self._clock.now + left
        self._endless = self._patience != self._most_silence
        whose = "; the client has no read timeout" if self._endless else ""
        silence = f"nothing came for {self._most_silence:g} s of virtual time{whose}"
        self._failure = self._build_error(
            replace(ending, detail="; ".join(filter(None, (ending.detail, silence))))
        )

    def _build_error(self, ending: Ending) -> Exception:
        name = _ERRORS.get(ending.how, "ReadError")
        where = "" if ending.at is At.IN_BODY else f", {ending.at.value.replace('_', ' ')}"
        message = f"{ending.detail or ending.how.value}{where}"
        error: Exception = getattr(self._library, name)(message, request=self._request)
        return error

    def close(self) -> None:
        """Report to the service that the reader has left."""
        self._seen.close()
