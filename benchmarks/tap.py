"""How much a recording proxy adds to the time to the first byte: none, our tap, and others, called in turn.

Each is measured three times: on a new connection, where our tap opens a new one upstream while others take one
from their pool; again on the same connection, right behind the end of the first response; and once more 20 ms
later, when all processes between client and server sleep, as they do between the requests of most clients.

`copy` is the limit for all of them: a program that accepts, connects and copies bytes, and reads none of them.
What ours adds is printed as a ratio to what it adds.

`python -m benchmarks.tap [--rounds 60] [--json] [--python PATH] [--mitmdump PATH]`. The upstream sends eleven
events five milliseconds apart. Each proxy is a process of its own, and every round calls each of them once, so
that other load on the machine affects all alike. Ours also writes its cassette. Peers that are not installed are
left out; `--python` names an interpreter that has starlette, uvicorn and httpx.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks._starting import free_port, wait_for
from harness.transport import ServerThread
from harness.wire import COMPLETE, Chunk, Chunked, Headers, Pause, PieceBody, Request, Response

EVENT = (
    b'event: step.delta\ndata: {"index":0,"delta":{"type":"text","text":"hello"},"event_type":"step.delta"}\n\n'
)
EVENTS, APART = 11, 0.005
REST = 0.02
"""Seconds between the second response and the third request of a connection."""
MEASURED = {
    "": "a new connection",
    "again_": "the same connection again",
    "later_": f"the same connection {REST * 1000:.0f} ms later",
}
COPY = """
import asyncio, sys
from harness.transport.server.server import loop_factory
port, target = int(sys.argv[1]), int(sys.argv[2])
class Copy(asyncio.Protocol):
    def __init__(self, other=None):
        self.other, self.early = other, b""
    def connection_made(self, transport):
        self.transport = transport
        if self.other is None:
            self.connecting = asyncio.ensure_future(self.connect())
        else:
            transport.write(self.other.early)
    async def connect(self):
        await asyncio.get_running_loop().create_connection(self.meet, "127.0.0.1", target)
    def meet(self):
        self.other = Copy(self)
        return self.other
    def data_received(self, data):
        if self.other is None or not hasattr(self.other, "transport"):
            self.early += data
        else:
            self.other.transport.write(data)
    def connection_lost(self, error):
        if self.other is not None and hasattr(self.other, "transport"):
            self.other.transport.close()
async def main():
    await asyncio.get_running_loop().create_server(Copy, "127.0.0.1", port)
    await asyncio.Event().wait()
with asyncio.Runner(loop_factory=loop_factory()) as runner:
    runner.run(main())
"""
STARLETTE = """
import sys, httpx, uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route
client = httpx.AsyncClient(base_url=sys.argv[2])
async def forward(request):
    headers = [(k, v) for k, v in request.headers.raw if k != b"host"]
    out = client.build_request(request.method, request.url.path, headers=headers, content=await request.body())
    answer = await client.send(out, stream=True)
    kept = {k: v for k, v in answer.headers.items() if k not in ("content-length", "transfer-encoding")}
    return StreamingResponse(answer.aiter_raw(), answer.status_code, kept)
app = Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST"])])
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
"""


def serve_upstream(port: int) -> None:
    """Serve eleven events with a pause before each but the first."""

    def service(request: Request) -> Response:
        pieces: list[Any] = [Chunk(EVENT)]
        for _ in range(EVENTS - 1):
            pieces += [Pause(APART), Chunk(EVENT)]
        headers = Headers((("content-type", "text/event-stream"),))
        return Response(200, headers, Chunked(), PieceBody([*pieces, COMPLETE]))

    with ServerThread(service, port=port):
        time.sleep(3600)


@contextmanager
def upstream() -> Iterator[int]:
    """The port of the upstream, which runs in its own process."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve_upstream, args=(port,), daemon=True)
    process.start()
    try:
        wait_for(port, "the upstream", alive=process.is_alive)
        yield port
    finally:
        process.terminate()
        process.join()


@contextmanager
def proxy(command: list[str], port: int) -> Iterator[int]:
    """Run a proxy as a process that listens on `port`."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port, " ".join(command), alive=lambda: process.poll() is None)
            yield port
        finally:
            process.terminate()


def commands(target: str, folder: Path, options: argparse.Namespace) -> dict[str, tuple[list[str], int]]:
    """Return the command of each proxy that is installed, and its port."""
    ports = [free_port() for _ in range(5)]
    cassette = str(folder / "bench.yaml")
    ours = [sys.executable, "-m", "harness", "record", "--target", target, "--cassette", cassette]
    found = {"harness tap": ([*ours, "--port", str(ports[0])], ports[0])}
    copying = [sys.executable, "-c", COPY, str(ports[4]), target.rpartition(":")[2]]
    found["copy"] = (copying, ports[4])
    peer = subprocess.run(
        [options.python, "-c", "import starlette, uvicorn, httpx"], capture_output=True, check=False
    )
    if peer.returncode == 0:
        found["starlette+httpx"] = ([options.python, "-c", STARLETTE, str(ports[1]), target], ports[1])
    mitmdump = options.mitmdump or shutil.which("mitmdump")
    if mitmdump:
        base = [mitmdump, "-q", "--mode", f"reverse:{target}"]
        found["mitmproxy"] = ([*base, "-p", str(ports[2])], ports[2])
        streaming = ["--set", "stream_large_bodies=1", "-p", str(ports[3])]
        found["mitmproxy streaming"] = ([*base, *streaming], ports[3])
    return found


def first_bytes(port: int) -> tuple[float, float, float]:
    """Seconds from a request to the first byte of the body: on a new connection, again, and after a rest."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        new, again = first_byte(sock), first_byte(sock)
        time.sleep(REST)
        return new, again, first_byte(sock)


def first_byte(sock: socket.socket) -> float:
    """Send one request, read the whole answer, and return the seconds until its first byte."""
    began = time.perf_counter()
    sock.sendall(b"GET /stream HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    received, at = b"", 0.0
    while not received.endswith(b"\r\n0\r\n\r\n"):
        if received and not received.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{sock.getpeername()} refuses the request: {received[-300:]!r}")
        data = sock.recv(65536)
        if not data:
            break
        received += data
        if not at and b"data:" in received:
            at = time.perf_counter() - began
    if received.count(b"data:") != EVENTS:
        raise SystemExit(f"{sock.getpeername()} brought {received.count(b'data:')} events instead of {EVENTS}")
    return at


def measure(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Median time to the first byte, and how much more that is than without a proxy, in milliseconds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(upstream())
        ports = {"direct": port}
        for name, (command, own) in commands(f"http://127.0.0.1:{port}", folder, options).items():
            ports[name] = stack.enter_context(proxy(command, own))
        times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ports}
        for number in range(options.rounds + 5):
            for name, own in ports.items():
                took = first_bytes(own)
                if number >= 5:  # the first rounds only warm up
                    times[name].append(took)
    medians = {
        name: [statistics.median(values) * 1000 for values in zip(*pairs, strict=True)]
        for name, pairs in times.items()
    }
    direct = medians["direct"]
    return {
        name: {
            f"{which}{kind}ms": value
            for which, ms, bare in zip(MEASURED, found, direct, strict=True)
            for kind, value in (("", ms), ("added_", ms - bare))
        }
        for name, found in medians.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60, help="how often each is asked")
    parser.add_argument("--python", default=sys.executable, help="interpreter with starlette, uvicorn and httpx")
    parser.add_argument("--mitmdump", help="mitmproxy's command")
    parser.add_argument("--json", action="store_true", help="print numbers for machines")
    options = parser.parse_args()
    results = measure(options)
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for measured, what in MEASURED.items():
        print(f"{what}:")
        ours = max(results["harness tap"][f"{measured}added_ms"], 0.0)
        for name, numbers in results.items():
            ms, added = numbers[f"{measured}ms"], numbers[f"{measured}added_ms"]
            share = "" if name in ("direct", "harness tap") else f"  ours adds {ours / max(added, 1e-3):.2f} of it"
            print(f"  {name:22} {ms:8.2f} ms  added {added:7.2f} ms{share}")


if __name__ == "__main__":
    main()
