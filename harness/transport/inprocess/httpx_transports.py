"""Transports that put a service behind `httpx` or `httpx2`, sync and async, without a socket.

Layer 3. Knows the transport interface and the exceptions of these libraries; `seen` decides what a client would
see. Factories build the classes, because the base classes belong to a library that is named only at the call. Time
is logical: a pause moves the clock and counts against the read timeout of the request, if it has one.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

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
) -> Any:
    """An `AsyncBaseTransport` of `module` that answers from `service`; other tasks run during a pause."""
    library = library_of(module)
    time_, bounds = clock or LogicalClock(), limits or Limits()

    class AsyncBody(library.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, reading: _Reading) -> None:
            self._reading = reading

        async def __aiter__(self) -> AsyncIterator[bytes]:
            from anyio.lowlevel import checkpoint  # both libraries depend on it

            reading = self._reading
            while (data := reading.next()) is not None:
                if data:
                    yield data
                else:
                    await checkpoint()
                    reading.awake()

        async def aclose(self) -> None:
            self._reading.close()

    class AsyncTransport(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            wire = request_of(request, await request.aread())
            reading = _Reading(library, service, wire, time_, bounds, request)
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
        self._seen = ResponseView(service, request)
        if self._seen.dead is not None:
            self._seen.close()
            raise self._to_exception(self._seen.dead)
        self.status = self._seen.status
        self.fields = [(name.encode("ascii"), field_bytes(value)) for name, value in self._seen.headers]
        self.extensions = {"http_version": b"HTTP/1.1"}

    def next(self) -> bytes | None:
        """The next bytes; `b""` at a pause (then call `awake`), None at the end. Raises at any other ending."""
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
                raise self._to_exception(piece)

    def _count_pause(self) -> None:
        self._pauses += 1
        if self._pauses > self._most_pauses:
            raise self._build_error(Ending(how=How.STALL, detail=f"more than {self._most_pauses} pauses in a row"))

    def _pause(self, seconds: float) -> None:
        self._count_pause()
        if seconds > self._patience - self._idle:
            raise self._to_exception(Ending(how=How.STALL))
        self._idle += seconds
        self._wake = self._clock.now + seconds

    def awake(self) -> None:
        """End the pause: move the clock to its end."""
        if self._wake is not None:
            self._clock.reached(self._wake)
            self._wake = None

    def _to_exception(self, ending: Ending) -> Exception:
        """The client's exception for an ending; a stall first moves the clock by the rest of the read timeout.

        A client without one would wait for ever, which no test can.
        """
        if ending.how is How.STALL:
            self._clock.reached(self._clock.now + max(0.0, self._most_silence - self._idle))
        return self._build_error(ending)

    def _build_error(self, ending: Ending) -> Exception:
        name = _ERRORS.get(ending.how, "ReadError")
        where = "" if ending.at is At.IN_BODY else f", {ending.at.value.replace('_', ' ')}"
        message = f"{ending.detail or ending.how.value}{where}"
        error: Exception = getattr(self._library, name)(message, request=self._request)
        return error

    def close(self) -> None:
        """Tell the service that nobody is reading any more."""
        self._seen.close()
