"""One in-process transport that fits `httpx` and `httpx2`, sync and async clients.

Layer 6. Which of them asks is known when a request comes; the transport of that library is made then.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from harness.transport import async_transport, sync_transport
from harness.wire import Clock, Service


class AnyTransport:
    """Pass it as `transport=` to a client of either library."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._made: dict[tuple[str, bool], Any] = {}

    def handle_request(self, request: Any) -> Any:
        """Answer a sync client."""
        return self._for(request, asynchronous=False).handle_request(request)

    async def handle_async_request(self, request: Any) -> Any:
        """Answer an async client."""
        return await self._for(request, asynchronous=True).handle_async_request(request)

    def _for(self, request: Any, *, asynchronous: bool) -> Any:
        key = (type(request).__module__.partition(".")[0], asynchronous)
        if key not in self._made:
            make = async_transport if asynchronous else sync_transport
            self._made[key] = make(self._service, self._clock, module=key[0])
        return self._made[key]

    def close(self) -> None:
        """Nothing is kept open."""

    async def aclose(self) -> None:
        """Nothing is kept open."""

    def __enter__(self) -> AnyTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> AnyTransport:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
