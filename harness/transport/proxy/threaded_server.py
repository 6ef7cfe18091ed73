"""The socket carrier for services that block: each request runs on its own thread, so none waits for another.

Layer 3. With `UpstreamServer` as the service it is a proxy, and with a fault plan around that, a proxy that drops
connections in front of any server. Knows threads; must not know what is served or how it is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from harness.outcome import UsageFault
from harness.transport.http1.limits import RECORDED_BYTES, ServerLimits
from harness.transport.http1.request_reader import Incoming
from harness.transport.http1.response_writer import After, ResponseWriter
from harness.transport.server.connection import Hub, ServerConnection, list_own_fields
from harness.transport.server.hang_up_listener import LEAVING, Leaving
from harness.transport.server.server import Server
from harness.wire import Request, Response, Service

_THREADS = 4096
"""One for each waiting stream; threads are created only when they are needed."""

_LIMITS = ServerLimits(head_bytes=1024 * 1024, body_bytes=RECORDED_BYTES, request_seconds=600.0)
"""Wide limits: refusing a request is up to the server behind the proxy."""

_Result = TypeVar("_Result")


def _always(request: Request) -> bool:
    return True


class WaitingServer(Server):
    """A `Server` for a service that blocks. Takes the arguments of `Server`; its default limits are wider.

    Requests for which `waits` returns false are answered at once, without a thread.
    """

    _threads: ThreadPoolExecutor

    def __init__(
        self,
        service: Service,
        *,
        waits: Callable[[Request], bool] = _always,
        limits: ServerLimits = _LIMITS,
        **options: Any,
    ) -> None:
        super().__init__(service, limits=limits, **options)
        self._waits = waits

    async def start(self) -> None:
        """Listen; raises `UsageFault` if the address cannot be used."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="harness-proxy")
        try:
            await super().start()
        except UsageFault:
            self._threads.shutdown()
            raise

    def _new_connection(self) -> ServerConnection:
        return _WaitingConnection(self._hub, self._threads, self._waits)

    async def stop(self) -> None:
        """Stop listening; hang up on every client and every server behind the proxy."""
        await super().stop()
        await asyncio.to_thread(self._threads.shutdown)


class _WaitingConnection(ServerConnection):
    """A connection that calls its service and pulls its bodies on threads."""

    def __init__(self, hub: Hub, threads: ThreadPoolExecutor, waits: Callable[[Request], bool]) -> None:
        super().__init__(hub)
        self._threads = threads
        self._waits = waits

    def _answer(self, incoming: Incoming) -> None:
        if not self._waits(incoming.request):
            super()._answer(incoming)
            return
        self._in_request = False
        self._work(self._serve_one(incoming))

    async def _serve_one(self, incoming: Incoming) -> After:
        request, head, opened = incoming
        response = await self._ask(request, opened)
        self._body = response.body
        own = list_own_fields(head, opened)
        writer = ResponseWriter(response, head.method, keep=head.keep, http10=head.http10, extra=own)
        data = b""
        while writer.after is None:
            await self._room_or_turn()
            if writer.pause is not None and writer.pause.seconds:
                await asyncio.sleep(writer.pause.seconds)
            data = await self._run_away(writer.batch)
            self._write(data, writer.after)
        return await self._end(writer.after, data)

    async def _ask(self, request: Request, opened: bool) -> Response:
        """The service's response. If the client leaves first, tell the service and close the response later."""
        leaving, context = Leaving(), copy_context()
        context.run(LEAVING.set, leaving)
        work = self._threads.submit(context.run, self._hub.answer, request, opened)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(_close_unheard)
            leaving.leave()
            raise

    def _run_away(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        return self._loop.run_in_executor(self._threads, work)


def _close_unheard(work: Future[Response]) -> None:
    if not work.cancelled() and work.exception() is None:
        work.result().body.close()
