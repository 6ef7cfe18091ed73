"""Transports that put a service behind `httpx` or `httpx2`, sync and async, without a socket.

Layer 3. Knows the transport interface and the exceptions of these libraries; `seen` decides what a client would
see. Factories build the classes, because the base classes belong to a library that is named only at the call. Time
is logical: a pause moves the clock and counts against the read timeout of the request, if it has one.

The async transport suspends its task wherever a socket would: before the request is sent, before the head, before
each piece of the body, and for as long as the service is silent. So timeouts, cancellation and other tasks work.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any, TypeAlias

from harness.transport.http1.heads import field_bytes
from harness.transport.http1.limits import Limits
from harness.transport.inprocess.observed_response import ResponseView
from harness.wire import At, Chunk, Clock, Ending, Headers, How, LogicalClock, Pause, Request, Service

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


def sync_transport(
    service: Service,
    clock: Clock | None = None,
    *,
    module: ModuleType | str = "httpx",
    limits: Limits | None = None,
) -> Any:
    """A `BaseTransport` of `module` (`httpx` or `httpx2`) that answers from `service`."""
    library = library_of(module)
    time_, bounds = clock or LogicalClock(), limits or Limits()

    class SyncBody(library.SyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, reading: _Reading) -> None:
            self._reading = reading

        def __iter__(self) -> Iterator[bytes]:
            reading = self._reading
            while (data := reading.next()) is not None:
                if data:
                    yield data
                else:
                    time.sleep(0)  # the service may be waiting for another thread
                    reading.awake()

        def close(self) -> None:
            self._reading.close()

    class SyncTransport(library.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            reading = _Reading(library, service, request_of(request, request.read()), time_, bounds, request)
            reading.awake()
            return library.Response(
                reading.status, headers=reading.fields, stream=SyncBody(reading), extensions=reading.extensions
            )

    return SyncTransport()


def async_transport(
    service: Service,
    clock: Clock | None = None,
    *,
    module: ModuleType | str = "httpx",
    limits: Limits | None = None,
    wait: Wait = wait_one_turn,
) -> Any:
    """An `AsyncBaseTransport` of `module` that answers from `service`; other tasks run wherever a socket waits."""
    library = library_of(module)
    time_, bounds = clock or LogicalClock(), limits or Limits()

    class AsyncBody(library.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, reading: _Reading) -> None:
            self._reading = reading

        async def __aiter__(self) -> AsyncIterator[bytes]:
            reading = self._reading
            while (data := reading.next()) is not None:
                await reading.suspend(wait)
                if data:
                    yield data

        async def aclose(self) -> None:
            self._reading.close()

    class AsyncTransport(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            wire = request_of(request, await request.aread())
            await wait_one_turn(0)  # who is cancelled here has sent nothing
            reading = _Reading(library, service, wire, time_, bounds, request)
            try:
                await reading.suspend(wait)
            except BaseException:  # cancelled, perhaps: the service has the request, and nobody reads the response
                reading.close()
                raise
            return library.Response(
                reading.status, headers=reading.fields, stream=AsyncBody(reading), extensions=reading.extensions
            )

    return AsyncTransport()


def library_of(module: ModuleType | str) -> Any:
    """The module `httpx` or `httpx2`; a name is imported only here."""
    return importlib.import_module(module) if isinstance(module, str) else module


def request_of(request: Any, body: bytes) -> Request:
    """Convert a request of either library to the `Request` that goes over the wire."""
    fields = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    return Request(request.method, request.url.raw_path.decode("ascii"), fields, body)


class _Reading:
    """One response, shared by the sync and async bodies; raises the library's exceptions."""

    def __init__(
        self, library: Any, service: Service, request: Request, clock: Clock, limits: Limits, theirs: Any
    ) -> None:
        """If the connection ends before the body, `awake` raises; otherwise it may be called all the same."""
        self._library = library
        self._request = theirs
        self._clock = clock
        patience = theirs.extensions.get("timeout", {"read": limits.idle_seconds}).get("read")
        self._patience = math.inf if patience is None else patience
        self._most_silence = limits.idle_seconds if patience is None else patience
        self._most_pauses = limits.pauses
        self._idle = 0.0
        self._pauses = 0
        self._wake: float | None = None
        self._failure: Exception | None = None
        self._seen = ResponseView(service, request)
        if self._seen.dead is not None:
            self._seen.close()
            self._fail(self._seen.dead)
            return
        self.status = self._seen.status
        self.fields = [(name.encode("ascii"), field_bytes(value)) for name, value in self._seen.headers]
        self.extensions = {"http_version": b"HTTP/1.1"}

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

    def _count_pause(self) -> None:
        self._pauses += 1
        if self._pauses > self._most_pauses:
            raise self._build_error(Ending(how=How.STALL, detail=f"more than {self._most_pauses} pauses in a row"))

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
        if self._failure is not None:
            raise self._failure

    async def suspend(self, wait: Wait) -> None:
        """Do the same when `wait` has let the silence pass, or after one turn of the loop if there is none."""
        if self._wake is None:
            await wait_one_turn(0)
        else:
            await wait(max(0.0, self._wake - self._clock.now))
        self.awake()

    def _fail(self, ending: Ending) -> None:
        """Let the client see an ending; a stall first takes the rest of the read timeout.

        A client without one would wait for ever, which no test can.
        """
        if ending.how is not How.STALL:
            self._failure = self._build_error(ending)
            return
        left = max(0.0, self._most_silence - self._idle)
        self._wake = self._clock.now + left
        whose = "" if self._patience == self._most_silence else "; the client has no read timeout"
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
        """Tell the service that nobody is reading any more."""
        self._seen.close()
