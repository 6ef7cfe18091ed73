"""One client connection of the socket server: requests in, a service's pieces out, endings exact to the byte.

Knows an asyncio transport, its back-pressure and its endings; must not know how HTTP is parsed or written
(`http1`), nor what listens (`server`). A client that closes its sending half counts as gone: in a pause of a
stream, a disconnect and a half-close look the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus
from typing import Protocol, cast

from harness.errors import BadRequest
from harness.outcome import HarnessFault
from harness.transport.http1.observed import body_fault, service_fault
from harness.transport.http1.reader import HeadCache, Incoming, RequestHead, RequestReader, ServerLimits
from harness.transport.http1.writer import BATCH_BYTES, After, ResponseWriter, write_at_once
from harness.wire import Body, Clock, Headers, Request, Response, Service

_LINGER_NOT = struct.pack("ii", 1, 0)


class SocketLike(Protocol):
    """The socket of a transport, as event loops provide it."""

    def fileno(self) -> int: ...

    def setsockopt(self, level: int, option: int, value: bytes, /) -> None: ...


def count_undelivered(sock: SocketLike) -> int:
    """How many bytes the peer's kernel has not acknowledged yet; 0 if the system does not tell.

    A reset discards them, so a reset that must be exact to the byte waits for 0.
    """
    if sys.platform == "win32":  # it does not tell: a reset may overtake the bytes before it
        return 0
    import fcntl
    import termios

    try:
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0


def unread(sock: SocketLike) -> Iterator[bytes]:
    """Yield what arrived on a non-blocking socket and was never read; the owner keeps the socket."""
    try:
        with socket.socket(fileno=os.dup(sock.fileno())) as twin:
            while data := twin.recv(64 * 1024):
                yield data
    except OSError:  # nothing more, or the error that ended it
        return


# A reset that loses no byte: everything written before it has arrived when the connection breaks. On a connection
# that was used before, a kernel acknowledges a short segment some 40 ms late, so that the next request can carry
# the acknowledgment. It acknowledges at once when a second segment arrives that was pushed like the first. So the
# last two bytes are held back: they are sent together if the bytes before them are still unacknowledged, else one
# by one.


_SPIN_SECONDS = 0.001


async def reset_after(transport: asyncio.Transport, data: bytes, *, seconds: float) -> None:
    """Write `data`, wait up to `seconds` until the peer's kernel has acknowledged all of it, and reset."""
    first, last = data[:-2], data[-2:]
    write(transport, first)
    if await _delivered(transport, _SPIN_SECONDS):
        write(transport, last[:1])
        await asyncio.sleep(0)  # event loops merge what is written in one turn
        last = last[1:]
    write(transport, last)
    await _delivered(transport, seconds)
    reset_now(transport)


def write(transport: asyncio.Transport, data: bytes) -> None:
    """Write `data`, if there is any and the connection is not closing."""
    if data and not transport.is_closing():  # uvloop raises if the peer has just gone
        transport.write(data)


async def _delivered(transport: asyncio.Transport, seconds: float) -> bool:
    """Wait up to `seconds`; return whether everything is acknowledged or the connection is closing."""
    loop = asyncio.get_running_loop()
    sock = cast("SocketLike", transport.get_extra_info("socket"))
    began = loop.time()
    await asyncio.sleep(0)
    while not transport.is_closing() and (transport.get_write_buffer_size() or count_undelivered(sock)):
        passed = loop.time() - began
        if passed > seconds:
            return False
        await asyncio.sleep(0 if passed < _SPIN_SECONDS else 0.001)
    return True


def reset_now(transport: asyncio.Transport) -> None:
    """Reset now, and discard what has not been delivered yet."""
    if not transport.is_closing():
        sock = cast("SocketLike", transport.get_extra_info("socket"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)  # a close is a RST then, and no FIN
    transport.abort()


_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


_OPENING = ("access-control-allow-origin", "access-control-expose-headers")
_CORS = b"".join(b"%b: *\r\n" % name.encode() for name in _OPENING)
_METHODS = "GET, POST, DELETE, PATCH, PUT, OPTIONS"


@dataclass(eq=False)
class Hub:
    """The shared state of the connections of one server.

    `hear` is called with each request before the service, `on_fault` with each fault that is kept in `errors`.
    """

    service: Service
    clock: Clock
    limits: ServerLimits
    _: KW_ONLY
    cors: Sequence[str] = ()
    cors_for: Callable[[Request], bool] | None = None
    hear: Callable[[Request], object] | None = None
    on_fault: Callable[[HarnessFault], object] | None = None
    connections: set[ServerConnection] = field(default_factory=set, init=False)
    errors: list[HarnessFault] = field(default_factory=list, init=False)
    refused: str = field(default="", init=False)
    traffic: int = field(default=0, init=False)
    """How often bytes came or went: what changes while a client and the service are busy with each other."""
    _answered: list[ServerConnection] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.heads = HeadCache((self.cors_for or (lambda request: True)) if self.cors else None)

    def note(self, fault: HarnessFault) -> None:
        """Keep a fault of our own; only the first ones, because later ones repeat them."""
        if len(self.errors) < 100:
            self.errors.append(fault)
            if self.on_fault is not None:
                self.on_fault(fault)

    def write_soon(self, connection: ServerConnection, loop: asyncio.AbstractEventLoop) -> None:
        """Write the answer of a connection at the end of this turn of the loop, with those of others.

        A write wakes the client, which on a busy machine takes the processor at once. Then what the next answer
        needs has left the caches: 16 clients got a fifth more answers when each turn wrote after its last answer.
        """
        if not self._answered:
            loop.call_soon(self._write_answers)
        self._answered.append(connection)
        # the first answer waits until the last one is there
        if len(self._answered) >= 16:
            self._write_answers()

    def _write_answers(self) -> None:
        answered, self._answered = self._answered, []
        for connection in answered:
            connection.write_answer()

    def answer(self, request: Request, opened: bool) -> Response:
        """The service's response. If the service raises, the fault is ours and the client gets a 500.

        `opened`: pages of any origin may send this request.
        """
        if opened and request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            # The response to a browser's CORS preflight: the methods and request fields that a page may use.
            allowed = (
                ("access-control-allow-methods", _METHODS),
                ("access-control-allow-headers", ", ".join(self.cors)),
                ("access-control-max-age", "600"),
            )
            return Response.whole(204, Headers(allowed), b"")
        try:
            if self.hear is not None:
                self.hear(request)
            response = self.service(request)
        except Exception as error:
            fault = service_fault(request, error)
            self.note(fault)
            return _build_error(500, f"harness: {fault}")
        if opened and "access-control-allow-origin" in response.headers:  # from a recording or another server
            response.headers = response.headers.without(*_OPENING)
        return response


def list_own_fields(head: RequestHead, opened: bool) -> bytes:
    """The carrier's own header lines; CORS fields are added only here, so none is sent twice."""
    own = _CORS if opened else b""
    return own + b"connection: keep-alive\r\n" if head.http10 and head.keep else own


def _build_error(status: int, message: str) -> Response:
    error = {"code": status, "message": message, "status": HTTPStatus(status).name}
    return Response.json(status, json.dumps({"error": error}).encode())


class ServerConnection(asyncio.Protocol):
    """Serves the requests of one connection in order; a small complete response is sent in a single write."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(hub.heads, hub.limits)
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._task: asyncio.Task[After] | None = None
        self._body: Body | None = None
        self._unwritten = b""
        self._timer: asyncio.TimerHandle | None = None
        self._room: asyncio.Future[None] | None = None
        self._closing = False
        self._in_request = False
        self._reading = True
        self._since = 0.0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._hub.connections.add(self)
        self._hub.traffic += 1
        self._since = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._in_request and not self._closing:
            self._hub.refused = f"the connection ended within a request: {self._reader.describe()} had arrived"
        self._closing = True
        if self._task is not None:
            self._task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._hub.connections.discard(self)

    def eof_received(self) -> None:
        self.write_answer()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._hub.traffic += 1
        if self._closing:
            return  # lingering: further requests get no response
        if self._unwritten:
            self.write_answer()
        incoming = self._reader.at_once(data) if self._task is None else None
        if incoming is not None:
            self._answer(incoming)
            self._since = self._loop.time()
            return
        self._reader.feed(data)
        if self._task is None:
            self._serve()
        elif self._reader.waiting > self._hub.limits.pipelined_bytes:
            self._reading = False
            self._transport.pause_reading()

    # Requests.

    def _serve(self) -> None:
        """Answer the requests that have arrived, until a response takes time or none is left."""
        reader = self._reader
        while self._task is None and not self._closing:
            try:
                incoming = reader.take()
            except BadRequest as bad:
                self._refuse(bad.status, str(bad))
                return
            if incoming is None:
                begun = self._reader.begun
                if self._reader.expects():
                    self._transport.write(_CONTINUE)
                if not begun or not self._in_request:
                    self._since = self._loop.time()
                self._in_request = begun
                return
            self._answer(incoming)

    def _refuse(self, status: int, message: str) -> None:
        self._hub.refused = message
        self._transport.write(ResponseWriter(_build_error(status, message), "GET", keep=False).batch())
        self._linger()

    def _answer(self, incoming: Incoming) -> None:
        self._in_request = False
        head, opened = incoming.head, incoming.opened
        response = self._hub.answer(incoming.request, opened)
        extra = list_own_fields(head, opened) if opened or head.http10 else b""
        try:
            written = write_at_once(response, head.method, keep=head.keep, extra=extra)
        except HarnessFault as fault:
            self._give_up(fault, response.body)
            return
        if written is not None:
            data, after = written
            hub = self._hub
            # With fewer connections, clients would wait for each other. Only a short answer may wait for the end
            # of a turn, and only if no request waits behind it.
            several = len(hub.connections) >= 4
            if several and after is After.KEEP and len(data) < BATCH_BYTES and not self._reader.waiting:
                self._unwritten = data
                hub.write_soon(self, self._loop)
                return
            self._transport.write(data)
            if after is After.FIN:
                self._linger()
            return
        writer = ResponseWriter(response, head.method, keep=head.keep, http10=head.http10, extra=extra)
        try:
            data = writer.batch()
        except HarnessFault as fault:
            self._give_up(fault, response.body)
            return
        clock = response.clock or self._hub.clock
        start = clock.now
        self._write(data, writer.after)
        if writer.after is After.KEEP or writer.after is After.FIN:
            self._close_body(response.body)
            if writer.after is After.FIN:
                self._linger()
        else:
            self._body = response.body
            self._work(self._send_stream(writer, data, clock, start))

    def _give_up(self, fault: HarnessFault, body: Body) -> None:
        self._hub.note(fault)
        self._close_body(body)
        self._abort()

    # Responses that take time.

    def _work(self, work: Coroutine[None, None, After]) -> None:
        self._task = self._loop.create_task(work)
        self._task.add_done_callback(self._clean_up)

    def _clean_up(self, task: asyncio.Task[After]) -> None:
        """Clean up after the work. Its own `finally` would never run if the client left before the work began."""
        self._task = None
        if self._body is not None:
            self._close_body(self._body)
            self._body = None
        if task.cancelled():
            self._closing = True
        elif (error := task.exception()) is not None:
            self._hub.note(
                error if isinstance(error, HarnessFault) else HarnessFault(f"a connection failed: {error!r}")
            )
            self._abort()
        else:
            self._after_stream(task.result())

    async def _send_stream(self, writer: ResponseWriter, data: bytes, clock: Clock, start: float) -> After:
        """Send the rest of a response whose first batch, `data`, was pulled at `start`."""
        while writer.after is None:
            await self._room_or_turn()
            if writer.pause is not None:
                await asyncio.sleep(writer.pause.seconds / clock.speed)
                clock.reached(start + writer.pause.seconds)
            data = writer.batch()
            start = clock.now
            self._write(data, writer.after)
        return await self._end(writer.after, data)

    def _write(self, data: bytes, after: After | None) -> None:
        """Write `data`, unless a reset follows: then `_end` writes it."""
        self._hub.traffic += 1
        if data and after is not After.RST:
            self._transport.write(data)

    async def _end(self, after: After, data: bytes) -> After:
        """Carry out an ending that takes time; `data` is the last batch."""
        if after is After.RST:
            self._closing = True
            await reset_after(self._transport, data, seconds=self._hub.limits.drain_seconds)
        elif after is After.STALL:
            await self._loop.create_future()  # until the client leaves or the server stops
        return after

    def _after_stream(self, after: After) -> None:
        if self._closing:
            return
        if after is After.FIN:
            self._linger()
            return
        self._since = self._loop.time()
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        self._serve()

    async def _room_or_turn(self) -> None:
        if self._room is not None:
            await self._room
        else:
            await asyncio.sleep(0)

    def _close_body(self, body: Body) -> None:
        try:
            body.close()
        except Exception as error:
            self._hub.note(body_fault(body, error))

    # Endings.

    def _abort(self) -> None:
        self._closing = True
        reset_now(self._transport)

    def _linger(self) -> None:
        """Send FIN now, close later: a close with unread input would become a reset, which loses the response."""
        self._closing = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._timer = self._loop.call_later(self._hub.limits.linger_seconds, self._close_when_written)
        else:
            self._transport.close()

    def _close_when_written(self) -> None:
        if self._transport.get_write_buffer_size():
            self._timer = self._loop.call_later(self._hub.limits.linger_seconds, self._close_when_written)
        else:
            self._transport.close()

    # What the server calls.

    def write_answer(self) -> None:
        """Write the answer that waits for the end of the loop's turn, if there is one."""
        data, self._unwritten = self._unwritten, b""
        if data and not self._transport.is_closing():  # hot, else `write`
            self._hub.traffic += 1
            self._transport.write(data)

    def sweep(self, now: float) -> None:
        """End the connection if its client is slower than the limits allow."""
        if self._task is not None or self._closing:
            return
        limits = self._hub.limits
        if self._in_request and now - self._since > limits.request_seconds:
            came = self._reader.describe()
            self._refuse(408, f"after {limits.request_seconds:g} s only a part of the request had arrived: {came}")
        elif not self._in_request and now - self._since > limits.idle_seconds:
            self._transport.close()

    def stop(self) -> asyncio.Task[After] | None:
        """Disconnect now; return the task that has yet to end, if there is one."""
        self.write_answer()
        self._transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task
