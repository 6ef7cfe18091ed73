"""Corner cases of HTTP through the tap: the client sees what it sees without it, the record says what happened."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from typing import NamedTuple

import pytest

from tests.in_one_test import in_one_test
from tests.transport.peers import (
    RawConnection,
    RawServer,
    connected,
    get,
    raw_exchange,
    read_head,
    read_to_end,
    saying,
    tapped,
    until,
)

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SSE = b"data: 1\n\n" * 20


def post(body: bytes, **fields: str) -> bytes:
    """A POST request as bytes."""
    return get(content_length=str(len(body)), **fields).replace(b"GET", b"POST", 1) + body


def chunked(body: bytes) -> bytes:
    """A POST request in one chunk, with a chunk extension and a trailer."""
    head = get(transfer_encoding="chunked", trailer="x-t").replace(b"GET", b"POST", 1)
    return head + b"%x;a=b\r\n%b\r\n0\r\nx-t: 1\r\n\r\n" % (len(body), body)


class Corner(NamedTuple):
    """What a client sends, what it is answered, and each status and body in the records.

    `asked` is the recorded request body, if there is one; `unrecorded` counts what is reported as unrecorded.
    """

    sent: bytes
    answered: bytes
    recorded: list[tuple[int | None, bytes]]
    asked: bytes = b""
    unrecorded: int = 0


CORNERS = {
    "HEAD": Corner(
        get().replace(b"GET", b"HEAD", 1), b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n", [(200, b"")]
    ),
    "204 with a length": Corner(get(), b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", [(204, b"")]),
    "interim answers": Corner(
        get(), b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK, [(200, b"ok")]
    ),
    "chunked with a trailer": Corner(chunked(b"abc"), OK, [(200, b"ok")], b"abc"),
    "chunked answer with a trailer": Corner(
        get(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nx-t: 1\r\n\r\n",
        [(200, b"abc")],
    ),
    "HTTP/1.0": Corner(b"GET /x HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nabc", [(200, b"abc")]),
    "no framing at all": Corner(get(), b"HTTP/1.1 200 OK\r\n\r\nabc", [(200, b"abc")]),
    "gzip": Corner(
        get(accept_encoding="gzip"),
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n"
        + gzip.compress(SSE, mtime=0),
        [(200, gzip.compress(SSE, mtime=0))],
    ),
    "another protocol": Corner(
        get(connection="upgrade", upgrade="x"),
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n\x00\x01 not HTTP",
        [(101, b"")],
        unrecorded=1,
    ),
    "two at once": Corner(get() + get(), OK + OK, [(200, b"ok")] * 2),
}


@pytest.mark.slow
@in_one_test(name=CORNERS, piece=[1 << 20, 7])
def test_a_corner_passes_as_it_is(name: str, piece: int) -> None:
    """Bytes and close are those of a direct connection; what is not recorded is reported."""
    corner = CORNERS[name]
    piece = max(piece, len(corner.answered) // 40)

    def handler(connection: RawConnection) -> None:
        received = b""
        while len(received) < len(corner.sent):
            received += connection.sock.recv(65536)
            if received.endswith(corner.sent[-30:]):
                break
        for at in range(0, len(corner.answered), piece):
            connection.send(corner.answered[at : at + piece])

    with RawServer(handler, read_request=False) as server:
        direct = raw_exchange(server.port, corner.sent)
        with tapped(server.url) as (tap, seen):
            assert raw_exchange(tap.port, corner.sent) == direct == (corner.answered, "fin")
    assert [(exchange.status, exchange.body) for exchange in seen] == corner.recorded
    assert len(tap.unrecorded) == corner.unrecorded
    if corner.asked:
        assert seen[0].request.body == corner.asked


def test_a_client_that_expects_a_go_ahead_gets_it() -> None:
    """100 Continue is forwarded before the body is sent, and the record has the whole exchange."""

    def handler(connection: RawConnection) -> None:
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.sock.recv(3) == b"abc"
        connection.send(OK)

    with RawServer(handler) as server, tapped(server.url) as (tap, seen), connected(tap.port) as sock:
        sock.sendall(post(b"abc", expect="100-continue")[:-3])
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"abc")
        assert read_to_end(sock) == (OK, "fin")
        until(lambda: bool(seen))
    assert (seen[0].request.body, seen[0].status) == (b"abc", 200)


BIG = b"0123456789abcdef" * (1 << 20)  # 16 MB: more than a wire record keeps


@pytest.mark.parametrize("direction", ["upload", "download"])
def test_what_is_too_large_is_said_when_it_passes(direction: str) -> None:
    """A body larger than `most` passes whole but unrecorded; the connection's next exchange is recorded again."""
    large = b"x" * 5000
    sizes = {"upload": (post(large), OK), "download": (get(), OK.replace(b"2", b"5000", 2)[:-2])}
    request, answer = sizes[direction]
    answer = OK if direction == "upload" else b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + large
    warned = threading.Event()
    told: list[str] = []

    def warn(reason: str) -> None:
        told.append(reason)
        warned.set()

    def handler(connection: RawConnection) -> None:
        received = b""
        while len(received) < len(request):
            received += connection.sock.recv(65536)
        connection.send(answer[:-1])
        assert warned.wait(30)  # before the exchange is over
        connection.send(answer[-1:])
        connection.sock.recv(65536)
        connection.send(OK)

    with RawServer(handler, read_request=False) as server:  # noqa: SIM117
        with tapped(server.url, most=4096, warn=warn) as (tap, seen), connected(tap.port) as sock:
            sock.sendall(request)
            received = b""
            while len(received) < len(answer):
                received += sock.recv(65536)
            assert received == answer
            sock.sendall(get("/next"))
            assert read_to_end(sock)[0] == OK
    assert [exchange.request.target for exchange in seen] == ["/next"]
    assert tap.unrecorded == told
    assert "exceeds 4096 bytes" in told[0]


@pytest.mark.parametrize("rest", [True, False], ids=["sent all the same", "never sent"])
def test_an_answer_may_come_before_its_request_is_whole(rest: bool) -> None:
    """The client gets it at once; the record waits for the rest of the request, or has the part that came."""
    refused = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"

    def handler(connection: RawConnection) -> None:
        connection.send(refused)
        if rest:
            read_head(connection.sock)  # of the next request
            connection.send(OK)

    with RawServer(handler) as server, tapped(server.url) as (tap, seen), connected(tap.port) as sock:
        sock.sendall(post(b"abcdef")[:-3])
        received = b""
        while len(received) < len(refused):
            received += sock.recv(100)
        assert received == refused
        if rest:
            sock.sendall(b"def" + get("/next"))
        read_to_end(sock)
        until(lambda: len(seen) == 1 + rest)
    assert (seen[0].status, seen[0].request.body) == (413, b"abcdef" if rest else b"abc")
    assert seen[0].ending.complete


@pytest.mark.parametrize("attempt", range(5))
def test_an_answer_that_a_reset_follows_is_not_lost(attempt: int) -> None:
    """If a server refuses an upload and closes without reading it, its response still reaches the client."""
    refused = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"

    def upload(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.sendall(post(BIG))

    with RawServer(saying(refused)) as server, tapped(server.url) as (tap, seen), connected(tap.port) as sock:
        thread = threading.Thread(target=upload, args=(sock,))
        thread.start()
        assert read_to_end(sock)[0] == refused
        thread.join()
        until(lambda: bool(seen))
    assert (seen[0].status, seen[0].ending.complete) == (413, True)


def test_a_client_that_leaves_while_it_asks_is_said_not_to_be_recorded() -> None:
    """Half a request is not recorded as an exchange, but reported as unrecorded."""
    with RawServer(lambda connection: connection.wait_for_hangup()) as server, tapped(server.url) as (tap, seen):
        with connected(tap.port) as sock:
            sock.sendall(post(b"abcdef")[:-3])
        until(lambda: bool(tap.unrecorded))
    assert (seen, tap.unrecorded) == ([], ["POST /x: the connection ended while it was being sent"])
