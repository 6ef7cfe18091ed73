"""What the inspector costs the streams that are served: without a page, and with one that reads.

`python -m benchmarks.inspector [--seconds 3] [--turns 3] [--json]`. Our server streams 1,000 events per answer: as
it is, behind an inspector that nobody looks at, and behind one whose page is open. Turns alternate, so that noise
affects all alike; ratios say more than absolute numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.server import EVENT, EVENTS, LOADS, ask, running
from harness.transport import Server
from harness.transport.server.server import loop_factory
from harness.wire import COMPLETE, Chunk, Chunked, Headers, Piece, PieceBody, Request, Response, Service

STREAM = Headers((("content-type", "text/event-stream"),))
PIECES: tuple[Piece, ...] = (*[Chunk(EVENT)] * EVENTS, COMPLETE)
FEED = "/__harness__/inspector/feed"


def answer(request: Request) -> Response:
    """Stream the events, whatever is asked."""
    return Response(200, STREAM, Chunked(), PieceBody(PIECES))


def inspect(service: Service) -> Service:
    """The service behind an inspector."""
    from harness.benches.server.page_guard import PageGuard
    from harness.inspector import Inspector
    from harness.interactions.traffic import TRAFFIC

    guard = PageGuard(TRAFFIC.load_protocol())
    inspector = Inspector(
        TRAFFIC, TRAFFIC.load_contract(""), guard, command="serve", to_curl=lambda request, root: ""
    )
    return inspector.around(service)


def _serve(port: int, service: Service) -> None:
    async def main() -> None:
        async with Server(service, port=port):
            await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())


def serve_bare(port: int) -> None:
    """The service alone."""
    _serve(port, answer)


def serve_inspected(port: int) -> None:
    """The service behind an inspector."""
    _serve(port, inspect(answer))


@contextmanager
def looking(port: int) -> Iterator[None]:
    """Read the feed as a page does, and throw away what comes."""
    with socket.create_connection(("127.0.0.1", port)) as page:
        page.sendall(f"GET {FEED} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
        if not page.recv(65536).startswith(b"HTTP/1.1 200"):
            raise SystemExit("the feed did not open")
        reader = threading.Thread(target=_drain, args=(page,))
        reader.start()
        yield
        page.shutdown(socket.SHUT_RDWR)
        reader.join()


def _drain(page: socket.socket) -> None:
    try:
        while page.recv(1 << 20):
            pass
    except OSError:  # the benchmark is over
        return


def measure(seconds: float, turns: int) -> dict[str, list[float]]:
    """Return events per second of each turn, by what was measured."""
    rates: dict[str, list[float]] = {"bare": [], "no page": [], "page open": []}
    load = LOADS["streams"]
    with (
        running(serve_bare) as bare,
        running(serve_inspected) as inspected,
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        for _ in range(turns):
            rates["bare"].append(runner.run(ask(bare, load, seconds)))
            rates["no page"].append(runner.run(ask(inspected, load, seconds)))
            with looking(inspected):
                rates["page open"].append(runner.run(ask(inspected, load, seconds)))
    return rates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each turn is measured")
    parser.add_argument("--turns", type=int, default=3, help="how many turns each gets")
    parser.add_argument("--json", action="store_true", help="print numbers for machines")
    options = parser.parse_args()
    rates = measure(options.seconds, options.turns)
    if options.json:
        print(json.dumps(rates, indent=2))
        return
    bare = statistics.median(rates["bare"])
    for name, measured in rates.items():
        rate = statistics.median(measured)
        print(f"{name:10} {rate:12,.0f} events/s   {rate / bare:.2f} of the bare server")


if __name__ == "__main__":
    main()
