"""How fast the socket server is next to others: small answers and streams, each server in its own process.

`python -m benchmarks.server [--seconds 3] [--json]`. Peers that are not installed are left out. The client is our
own, raw, and the same for all. On a machine with few cores it takes its share of the time, so ratios say more than
absolute numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks._starting import free_port, wait_for
from harness.transport import Server
from harness.transport.http1.reader import ResponseReader
from harness.transport.server.server import loop_factory
from harness.wire import COMPLETE, Chunk, Chunked, Headers, Piece, PieceBody, Request, Response

SMALL = b'{"id":"int_1","status":"completed"}'
EVENT = (
    b'event: step.delta\ndata: {"event_type":"step.delta","index":0,"delta":{"type":"text","text":"hello"}}\n\n'
)
EVENTS = 1000


class Load(NamedTuple):
    """A path, the number of clients that request it at once, and how many units one answer counts for."""

    path: str
    connections: int
    units: int
    unit: str


LOADS = {
    "small answers": Load("/small", 16, 1, "requests/s"),
    "streams": Load("/stream", 4, EVENTS, "events/s"),
}


def serve_ours(port: int) -> None:
    """The harness's own server."""
    pieces: tuple[Piece, ...] = (*[Chunk(EVENT)] * EVENTS, COMPLETE)
    types = [Headers((("content-type", kind),)) for kind in ("application/json", "text/event-stream")]

    def service(request: Request) -> Response:
        if request.target == "/small":
            return Response.whole(200, types[0], SMALL)
        return Response(200, types[1], Chunked(), PieceBody(pieces))

    async def main() -> None:
        async with Server(service, port=port):
            await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())


def serve_uvicorn(port: int) -> None:
    """A bare ASGI application on uvicorn with its fastest loop and parser."""
    import uvicorn

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/small":
            fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(SMALL))]
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            await send({"type": "http.response.body", "body": SMALL})
            return
        fields = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        for _ in range(EVENTS):
            await send({"type": "http.response.body", "body": EVENT, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    uvicorn.run(app, port=port, log_level="error", access_log=False, lifespan="off")


def serve_aiohttp(port: int) -> None:
    """An aiohttp application."""
    from aiohttp import web

    async def small(request: Any) -> Any:
        return web.Response(body=SMALL, content_type="application/json")

    async def stream(request: Any) -> Any:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(EVENTS):
            await response.write(EVENT)
        await response.write_eof()
        return response

    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # the load stops amid its last answers
    app = web.Application()
    app.add_routes([web.get("/small", small), web.get("/stream", stream)])
    loop = (loop_factory() or asyncio.new_event_loop)()
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None, loop=loop)


SERVERS: dict[str, tuple[str, Callable[[int], None]]] = {
    "harness": ("harness", serve_ours),
    "uvicorn": ("uvicorn", serve_uvicorn),
    "aiohttp": ("aiohttp", serve_aiohttp),
}


@contextmanager
def running(serve: Callable[[int], None]) -> Iterator[int]:
    """The port of a server in a fresh process."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    process.start()
    try:
        wait_for(port, "the server", alive=process.is_alive)
        yield port
    finally:
        process.terminate()
        process.join()


def answer_bytes(port: int, wire: bytes) -> int:
    """Return the size of one whole answer, head included."""
    reader, size = ResponseReader("GET"), 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(wire)
        while reader.ended is None:
            data = sock.recv(65536)
            size += len(data)
            reader.feed(data)
    return size


class Asker(asyncio.Protocol):
    """Sends the same request again as soon as it is answered, and only counts bytes."""

    def __init__(self, wire: bytes, size: int) -> None:
        self._wire = wire
        self._size = self._left = size
        self.answers = 0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Send the first request."""
        self._transport = transport
        transport.write(self._wire)

    def data_received(self, data: bytes) -> None:
        """Count the bytes, and send the next request."""
        self._left -= len(data)
        if self._left <= 0:
            self._left += self._size
            self.answers += 1
            self._transport.write(self._wire)

    def close(self) -> None:
        """Disconnect."""
        self._transport.abort()


async def ask(port: int, load: Load, seconds: float) -> float:
    """Return units per second under one load."""
    wire = f"GET {load.path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: */*\r\n\r\n".encode()
    size = answer_bytes(port, wire)
    loop = asyncio.get_running_loop()
    askers = [Asker(wire, size) for _ in range(load.connections)]
    for asker in askers:
        await loop.create_connection(lambda asker=asker: asker, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.sleep(seconds / 4)
    before, began = sum(asker.answers for asker in askers), loop.time()
    await asyncio.sleep(seconds)
    rate = (sum(asker.answers for asker in askers) - before) / (loop.time() - began)
    for asker in askers:
        asker.close()
    return rate * load.units


def measure(seconds: float) -> dict[str, dict[str, float]]:
    """Return rates by load and server, for the servers that are installed."""
    rates: dict[str, dict[str, float]] = {name: {} for name in LOADS}
    for server, (module, serve) in SERVERS.items():
        try:
            __import__(module)
        except ImportError:
            continue
        with running(serve) as port, asyncio.Runner(loop_factory=loop_factory()) as runner:
            for name, load in LOADS.items():
                rates[name][server] = runner.run(ask(port, load, seconds))
    return rates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each load is measured")
    parser.add_argument("--json", action="store_true", help="print numbers for machines")
    options = parser.parse_args()
    rates = measure(options.seconds)
    if options.json:
        print(json.dumps(rates, indent=2))
        return
    for name, by_server in rates.items():
        for server, rate in by_server.items():
            ratio = by_server["harness"] / rate
            print(f"{name:14} {server:8} {rate:12,.0f} {LOADS[name].unit:11} harness is {ratio:.1f}x")


if __name__ == "__main__":
    main()
