"""The socket carrier for services that wait: each request on a thread of its own, so that none waits for another.

Layer 3. With `Upstream` as the service it is a proxy, and with a fault plan around that a proxy that drops
connections in front of any server. Knows threads; what is served, and how it is written, is others' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from harness.outcome import HarnessFault, UsageFault
from harness.transport.connection import Connection, Hub
from harness.transport.request_reader import Incoming
from harness.transport.server import Server
from harness.transport.writer import After, ResponseWriter
from harness.wire import Body, Request, Response

_THREADS = 256
_Result = TypeVar("_Result")


class WaitingServer(Server):
    """A `Server` for a service that waits; its arguments are those of `Server`."""

    _threads: ThreadPoolExecutor

    async def start(self) -> None:
        """Listen; raises `UsageFault` when the address cannot be had."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="harness-proxy")
        try:
            await super().start()
        except UsageFault:
            self._threads.shutdown()
            raise

    def _connection(self) -> Connection:
        return _WaitingConnection(self._hub, self._threads)

    async def stop(self) -> None:
        """Stop listening, hang up every client and every server behind."""
        await super().stop()
        await asyncio.to_thread(self._threads.shutdown)


class _WaitingConnection(Connection):
    """A connection whose service and bodies are called on threads."""

    def __init__(self, hub: Hub, threads: ThreadPoolExecutor) -> None:
        super().__init__(hub)
        self._threads = threads

    def _answer(self, incoming: Incoming) -> None:
        self._in_request = False
        self._task = self._loop.create_task(self._serve_one(incoming))

    async def _serve_one(self, incoming: Incoming) -> None:
        head = incoming.head
        body: Body | None = None
        after: After | None = None
        try:
            response = await self._asked(incoming.request)
            body = response.body
            writer = ResponseWriter(response, head.method, keep=head.keep, http10=head.http10)
            await self._write_pieces(writer)
            after = writer.after
        except asyncio.CancelledError:
            self._closing = True
        except HarnessFault as fault:
            self._hub.note(fault)
            self._abort()
        finally:
            self._task = None
            if body is not None:
                self._close_body(body)
        self._after_stream(after)

    async def _asked(self, request: Request) -> Response:
        """The service's answer; where the client left meanwhile, its body is closed when it comes."""
        work = self._threads.submit(self._hub.answer, request)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(_close_unheard)
            raise

    async def _write_pieces(self, writer: ResponseWriter) -> None:
        while writer.after is None:
            await self._room_or_turn()
            if writer.pause is not None and writer.pause.seconds:
                await asyncio.sleep(writer.pause.seconds)
            data = await self._away(writer.batch)
            if data:
                self._transport.write(data)
        if writer.after is After.STALL:
            await self._loop.create_future()  # until the client leaves or the server stops
        elif writer.after is After.RST:
            await self._reset()

    def _away(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        return self._loop.run_in_executor(self._threads, work)


def _close_unheard(work: Future[Response]) -> None:
    if not work.cancelled() and work.exception() is None:
        work.result().body.close()
