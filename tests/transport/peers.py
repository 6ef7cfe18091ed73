"""Handmade peers for tests: raw servers, a raw client, services that count how often their bodies are closed."""

from __future__ import annotations

import atexit
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from harness.transport.server.server import InThread
from harness.transport.tap.tap import Tap
from harness.wire import COMPLETE, Chunked, Ending, Exchange, Framing, Headers, Piece, PieceBody, Request, Response

EVENTS = Headers((("content-type", "text/event-stream"),))


class RawConnection:
    """One accepted connection of a raw server."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self.sock = sock
        self.stopping = stopping

    def send(self, data: bytes) -> None:
        """Send all of `data`; ignore a client that has left."""
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def send_for_ever(self, data: bytes, *, every: float = 0.0) -> None:
        """Send `data` again and again, `every` seconds apart, until the client leaves."""
        with contextlib.suppress(OSError):
            while not self.stopping.wait(every):
                self.sock.sendall(data)

    def wait_for_hangup(self) -> None:
        """Do nothing until the client leaves or the test is over."""
        self.sock.settimeout(0.05)
        while not self.stopping.is_set():
            try:
                if not self.sock.recv(65536):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


class RawServer:
    """A listening socket that passes each connection to `handler` on its own thread, and counts connections."""

    def __init__(self, handler: Callable[[RawConnection], None], *, read_request: bool = True) -> None:
        self._handler = handler
        self._read_request = read_request
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self.connections = 0
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> RawServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                sock, _ = self._listener.accept()
                self.connections += 1
                self._socks.append(sock)
                self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            sock.settimeout(30)
            if self._read_request:
                read_head(sock)
            self._handler(RawConnection(sock, self._stopping))


def read_head(sock: socket.socket) -> bytes:
    """Bytes up to and including the first blank line."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return data


def saying(data: bytes) -> Callable[[RawConnection], None]:
    """A handler that sends `data` and closes."""
    return lambda connection: connection.send(data)


def saying_then_waiting(data: bytes) -> Callable[[RawConnection], None]:
    """A handler that sends `data` and then does nothing."""

    def handler(connection: RawConnection) -> None:
        connection.send(data)
        connection.wait_for_hangup()

    return handler


def get(target: str = "/x", **fields: str) -> bytes:
    """A GET request as bytes."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"GET {target} HTTP/1.1\r\nhost: h\r\n{lines}\r\n".encode()


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """A port whose connections are neither established nor refused: the listener's queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(8):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        yield full.getsockname()[1]


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A raw client socket with a timeout of thirty seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        yield sock


def raw_exchange(port: int, data: bytes) -> tuple[bytes, str]:
    """Send and read to the end of the connection; return the bytes, and `fin` or `rst`."""
    with connected(port) as sock:
        sock.sendall(data)
        return read_to_end(sock)


def read_to_end(sock: socket.socket) -> tuple[bytes, str]:
    """The bytes until the peer closes, and how it closes."""
    received = b""
    while True:
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            return received, "rst"
        if not more:
            return received, "fin"
        received += more


def free_port() -> int:
    """A port that nobody listens on, and that nobody gets by chance while this process lives.

    A bound socket that does not listen refuses connections and keeps the port from every process that asks for
    any, but not from a server that names it: on Linux two may share it with SO_REUSEADDR until one listens.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    port = int(reserved.getsockname()[1])
    if sys.platform == "linux":
        atexit.register(reserved.close)  # which also keeps it until then
    else:
        reserved.close()
    return port


@contextlib.contextmanager
def tapped(target: str, **options: object) -> Iterator[tuple[Tap, list[Exchange]]]:
    """A tap in front of `target`, and the exchanges it has recorded."""
    seen: list[Exchange] = []
    with InThread(Tap(target, seen.append, **options)) as tap:  # type: ignore[arg-type]
        yield tap, seen


class CountedBody(PieceBody):
    """A body that counts how often it was closed and lets a test wait for it."""

    __slots__ = ("closed", "closings", "pulled")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        super().__init__(pieces)
        self.closings = 0
        self.pulled = 0
        self.closed = threading.Event()

    def __next__(self) -> Piece:
        self.pulled += 1
        return super().__next__()

    def close(self) -> None:
        self.closings += 1
        self.closed.set()
        super().close()


class Serving:
    """A service that answers every request with the same pieces, and keeps its requests and bodies."""

    def __init__(self, *pieces: Piece, framing: Framing | None = None, status: int = 200) -> None:
        self._pieces: tuple[Piece, ...] = pieces if isinstance(pieces[-1], Ending) else (*pieces, COMPLETE)
        self._framing = framing or Chunked()
        self._status = status
        self.bodies: list[CountedBody] = []
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        body = CountedBody(self._pieces)
        self.bodies.append(body)
        return Response(self._status, EVENTS, self._framing, body)


def echo(request: Request) -> Response:
    """A service that answers with method, target and body."""
    text = f"{request.method} {request.target} ".encode() + request.body
    return Response.whole(200, Headers((("content-type", "text/plain"),)), text)


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread or process to make `condition` true; fail after a minute."""
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit, "did not happen in a minute"
        time.sleep(0.001)
