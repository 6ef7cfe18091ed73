"""Transports of `httpx` or `httpx2` that send through another transport and report what passed to a sink.

Nothing is delayed. The pieces are those that the library hands over, which need not be HTTP chunks; only `tap`
sees what the wire looked like before that (a reset under TLS, the size of an open chunk). Factories build the
classes, because the base classes belong to a library that is named only at the call.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import Any, TypeAlias

from msgspec.structs import replace

from harness.transport.http1.reader import RECORDED_BYTES
from harness.wire import (
    COMPLETE,
    At,
    By,
    Chunk,
    Chunked,
    Ending,
    Exchange,
    ExchangeBuilder,
    Framing,
    Headers,
    How,
    Length,
    Request,
    UntilClose,
)


def request_of(request: Any, body: bytes) -> Request:
    """Convert a request of either library to the `Request` that goes over the wire."""
    fields = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    return Request(request.method, request.url.raw_path.decode("ascii"), fields, body)


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
    """A transport of `module` that sends through `inner`, sync or async, and passes each exchange to `sink`."""
    library: Any = importlib.import_module(module) if isinstance(module, str) else module

    class TeeBody(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, tee: _Tee) -> None:
            self._stream, self._tee = stream, tee

        def __iter__(self) -> Iterator[bytes]:
            with self._tee:
                for data in self._stream:
                    self._tee.chunk(data)
                    yield data

        async def __aiter__(self) -> AsyncIterator[bytes]:
            with self._tee:
                async for data in self._stream:
                    self._tee.chunk(data)
                    yield data

        def close(self) -> None:
            self._stream.close()
            self._tee.note_close()

        async def aclose(self) -> None:
            await self._stream.aclose()
            self._tee.note_close()

    class TeeTransport(library.BaseTransport, library.AsyncBaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            tee = _Tee(request_of(request, request.read()), sink)
            with tee:
                response = inner.handle_request(request)
            return self._tee_body(response, tee)

        async def handle_async_request(self, request: Any) -> Any:
            tee = _Tee(request_of(request, await request.aread()), sink)
            with tee:
                response = await inner.handle_async_request(request)
            return self._tee_body(response, tee)

        def _tee_body(self, response: Any, tee: _Tee) -> Any:
            tee.head(response)
            response.stream = TeeBody(response.stream, tee)
            return response

        def close(self) -> None:
            inner.close()

        async def aclose(self) -> None:
            await inner.aclose()

    return TeeTransport()


async_tee_transport = tee_transport


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
