"""One in-process transport for clients of `httpx` and of `httpx2`, sync and async.

Layer 3. Only a request shows which kind of client is sending; the transport for that kind is made then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from harness.transport.http1.limits import Limits
from harness.transport.inprocess.httpx_transports import Wait, async_transport, sync_transport, wait_one_turn
from harness.wire import Clock, LogicalClock, Service


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Pass it as `transport=` to a client of either library; `httpx2` requires no base class of its own."""

    def __init__(
        self,
        service: Service,
        clock: Clock,
        limits: Limits,
        wait: Wait,
        before_sync: Callable[[], object],
        note_endless: Callable[[], object],
    ) -> None:
        self._service = service
        self._clock = clock
        self._limits = limits
        self._wait = wait
        self._before_sync = before_sync
        self._note_endless = note_endless
        self._made: dict[tuple[str, bool], Any] = {}

    def handle_request(self, request: Any) -> Any:
        """Return the response to a sync client."""
        self._before_sync()
        return self._choose(request, asynchronous=False).handle_request(request)

    async def handle_async_request(self, request: Any) -> Any:
        """Return the response to an async client."""
        return await self._choose(request, asynchronous=True).handle_async_request(request)

    def _choose(self, request: Any, *, asynchronous: bool) -> Any:
        key = (type(request).__module__.partition(".")[0], asynchronous)
        if key not in self._made:
            make = partial(async_transport, wait=self._wait) if asynchronous else sync_transport
            self._made[key] = make(
                self._service, self._clock, module=key[0], limits=self._limits, note_endless=self._note_endless
            )
        return self._made[key]


def transport(
    service: Service,
    clock: Clock | None = None,
    *,
    limits: Limits | None = None,
    wait: Wait = wait_one_turn,
    before_sync: Callable[[], object] = lambda: None,
    note_endless: Callable[[], object] = lambda: None,
) -> Transport:
    """A transport that responses from `service`, without sockets or waiting; `clock` is the service's own.

    An async client is suspended by `wait` while the service is silent. `before_sync` is called before each request
    of a sync client, `note_endless` when a client without a read timeout has sat out a silence that has no end.
    """
    return Transport(service, clock or LogicalClock(), limits or Limits(), wait, before_sync, note_endless)
