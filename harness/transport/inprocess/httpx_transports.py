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
from types import ModuleType
from typing import Any, TypeAlias

from msgspec.structs import replace

from harness.transport.http1.heads import field_bytes
from harness.transport.http1.limits import RECORDED_BYTES, Limits
from harness.transport.http1.observed import ResponseView
from harness.wire import (
    COMPLETE,
    At,
    By,
    Chunk,
    Chunked,
    Clock,
    Ending,
    Exchange,
    ExchangeBuilder,
    Framing,
    Headers,
    How,
    Length,
    LogicalClock,
    Pause,
    Request,
    Service,
    UntilClose,
)

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
    note_endless: Callable[[], object] = lambda: None,
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
                    if reading.is_silent:
                        time.sleep(0)  # the service may be waiting for another thread
                    reading.awake()

        def close(self) -> None:
            self._reading.close()

    class SyncTransport(library.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            wire = request_of(request, request.read())
            reading = _Reading(library, service, wire, time_, bounds, request, note_endless)
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
    note_endless: Callable[[], object] = lambda: None,
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
                try:
                    await reading.suspend(wait)
                except BaseException:  # cancelled, perhaps: a connection pool closes the connection, too
                    reading.close()
                    raise
                if data:
                    yield data

        async def aclose(self) -> None:
            self._reading.close()

    class AsyncTransport(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            wire = request_of(request, await request.aread())
            await wait_one_turn(0)  # who is cancelled here has sent nothing
            reading = _Reading(library, service, wire, time_, bounds, request, note_endless)
            try:
                await reading.suspend(wait)
            except (
                BaseException
            ):  # cancelled, perhaps: the service has the request, and the response has no reader
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
        self,
        library: Any,
        service: Service,
        request: Request,
        clock: Clock,
        limits: Limits,
        theirs: Any,
        note_endless: Callable[[], object],
    ) -> None:
        """If the connection ends before the body, `awake` raises; otherwise it may be called all the same.

        `note_endless` is called when a client without a read timeout has sat out a silence that has no end.
        """
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
        self._endless = False
        self._note_endless = note_endless
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

    @property
    def is_silent(self) -> bool:
        """Whether a pause is under way, and not a wrong ending, which needs no wait."""
        return self._wake is not None

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
        if self._endless:
            self._note_endless()
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


# Transports that send through another transport and report what passed to a sink. Nothing is delayed. The pieces
# are those that the library hands over, which need not be HTTP chunks; only `tap` sees what the wire looked like
# before that (a reset under TLS, the size of an open chunk).


Sink: TypeAlias = Callable[[Exchange], object]
"""Gets every finished exchange; bodies keep their content coding."""

_HOWS = {
    "ConnectTimeout": (By.LIMIT, How.TIMEOUT),
    "ConnectError": (By.SERVER, How.REFUSED),
    "ReadTimeout": (By.LIMIT, How.TIMEOUT),
    "WriteTimeout": (By.LIMIT, How.TIMEOUT),
    "PoolTimeout": (By.LIMIT, How.TIMEOUT),
    "ReadError": (By.SERVER, How.RST),
    "WriteError": (By.SERVER, How.RST),
    "CloseError": (By.SERVER, How.RST),
}
_CLOSED = ("peer closed", "disconnected")
"""Words in the libraries' errors for a connection that closed too early; other protocol errors are broken HTTP."""


def tee_transport(inner: Any, sink: Sink, *, module: ModuleType | str = "httpx") -> Any:
    """A `BaseTransport` of `module` that sends through `inner` and passes each exchange to `sink`."""
    library = library_of(module)

    class TeeBody(library.SyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, stream: Any, tee: _Tee) -> None:
            self._stream, self._tee = stream, tee

        def __iter__(self) -> Iterator[bytes]:
            with self._tee:
                for data in self._stream:
                    self._tee.chunk(data)
                    yield data

        def close(self) -> None:
            self._stream.close()
            self._tee.note_close()

    class TeeTransport(library.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            tee = _Tee(request_of(request, request.read()), sink)
            with tee:
                response = inner.handle_request(request)
            tee.head(response)
            response.stream = TeeBody(response.stream, tee)
            return response

        def close(self) -> None:
            inner.close()

    return TeeTransport()


def async_tee_transport(inner: Any, sink: Sink, *, module: ModuleType | str = "httpx") -> Any:
    """An `AsyncBaseTransport` of `module` that sends through `inner` and passes each exchange to `sink`."""
    library = library_of(module)

    class AsyncTeeBody(library.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, stream: Any, tee: _Tee) -> None:
            self._stream, self._tee = stream, tee

        async def __aiter__(self) -> AsyncIterator[bytes]:
            with self._tee:
                async for data in self._stream:
                    self._tee.chunk(data)
                    yield data

        async def aclose(self) -> None:
            await self._stream.aclose()
            self._tee.note_close()

    class AsyncTeeTransport(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            tee = _Tee(request_of(request, await request.aread()), sink)
            with tee:
                response = await inner.handle_async_request(request)
            tee.head(response)
            response.stream = AsyncTeeBody(response.stream, tee)
            return response

        async def aclose(self) -> None:
            await inner.aclose()

    return AsyncTeeTransport()


class _Tee:
    """One exchange under way; a context manager around the wait for its head, and again around its body."""

    def __init__(self, request: Request, sink: Sink) -> None:
        self._recorder = ExchangeBuilder(request, most=RECORDED_BYTES)
        self._sink = sink
        self._began = time.monotonic()
        self._at = At.BEFORE_HEADERS
        self._over = False

    def head(self, response: Any) -> None:
        """Record the response head."""
        headers = Headers((n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers.raw)
        reason = response.extensions.get("reason_phrase", b"").decode("latin-1")
        length = headers.get("content-length")
        framing: Framing = Length(int(length)) if length.isdecimal() else UntilClose()
        if "chunked" in headers.get("transfer-encoding").lower():
            framing = Chunked()
        self._recorder.head(response.status_code, headers, framing, reason)
        self._at = At.IN_BODY

    def chunk(self, data: bytes) -> None:
        """Record bytes of the body."""
        if data:
            self._recorder.chunk(Chunk(data), time.monotonic() - self._began)

    def note_close(self) -> None:
        """The client closed the response: end the exchange, unless it has ended already."""
        self._finish(Ending(By.CLIENT, How.FIN, self._at))

    def __enter__(self) -> _Tee:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            by, how = _HOWS.get(type(error).__name__, (By.SERVER, How.BAD_HTTP))
            if how is How.BAD_HTTP and any(word in str(error) for word in _CLOSED):
                how = How.FIN
            ending = Ending(by, how, self._at, detail=type(error).__name__)
            framing = self._recorder.framing
            if self._at is At.IN_BODY and isinstance(framing, Length):
                ending = replace(ending, declared=framing.size, sent=self._recorder.size)
            self._finish(ending)
        elif error is not None:  # GeneratorExit, a cancelled task: the reader is gone
            self.note_close()
        elif self._at is At.IN_BODY:
            self._finish(COMPLETE)

    def _finish(self, ending: Ending) -> None:
        if self._over:
            return
        self._over = True
        self._sink(self._recorder.finish(ending, time.monotonic() - self._began))
