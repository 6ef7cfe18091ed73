"""The proxy: an upstream as a service, behind a server that blocks on threads, with or without faults."""

from __future__ import annotations

import socket
import threading

import pytest

from harness.contract import PROTOCOL
from harness.faults import cut
from harness.transport import Limits, ServerThread, UrlDriver
from harness.transport.proxy import UpstreamServer
from harness.transport.server.server import InThread, WaitingServer
from harness.wire import COMPLETE, Chunk, Chunked, Ending, Headers, How, Request, Response
from tests.in_one_test import in_one_test
from tests.transport.endings_table import ALL
from tests.transport.peers import (
    CountedBody,
    RawConnection,
    RawServer,
    Serving,
    connected,
    deaf,
    echo,
    free_port,
    get,
    raw_exchange,
    read_to_end,
    saying,
    until,
)

PASSES = [name for name, case in ALL.items() if case.closing in ("fin", "rst") and "bad" not in name]
STREAM = {"content-type": "text/event-stream"}


def event(number: int) -> bytes:
    """One event."""
    return b'data: {"event_type":"x","event_id":"e%d"}\n\n' % number


@in_one_test(name=PASSES)
def test_the_bytes_and_the_ending_of_the_upstream_pass(name: str) -> None:
    """Through the proxy the client gets the same body, and the connection ends in the same way."""
    case = ALL[name]
    with (
        ServerThread(Serving(*case.pieces, framing=case.framing)) as server,
        InThread(WaitingServer(UpstreamServer(server.url))) as proxy,
    ):
        driver = UrlDriver(proxy.url)
        exchange = driver.send(Request("GET", "/x"))
        driver.close()
    assert exchange.body == case.body
    assert (exchange.ending.how, exchange.ending.complete) == (case.ending.how, case.ending.complete)


def test_what_arrives_is_sent_on_before_the_next_piece() -> None:
    """The client gets the first bytes of a stream while the upstream pauses."""
    go = threading.Event()

    def handler(connection) -> None:  # type: ignore[no-untyped-def]
        connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        go.wait(30)
        connection.send(b"0\r\n\r\n")

    with (
        RawServer(handler) as server,
        InThread(WaitingServer(UpstreamServer(server.url))) as proxy,
        connected(proxy.port) as sock,
    ):
        sock.sendall(get(connection="close"))
        received = b""
        while not received.endswith(b"ab\r\n"):
            received += sock.recv(65536)
        go.set()
        assert read_to_end(sock) == (b"0\r\n\r\n", "fin")


def test_a_plan_cuts_the_stream_of_any_server_to_the_byte() -> None:
    """Two events and three bytes arrive, then a reset; the next request is left alone."""
    serving = Serving(*[Chunk(event(number)) for number in range(5)])
    with ServerThread(serving) as server:
        faulty = cut(UpstreamServer(server.url), "event:2+3,rst", PROTOCOL)
        with InThread(WaitingServer(faulty)) as proxy:
            driver = UrlDriver(proxy.url)
            first, second = (
                driver.send(Request("POST", "/v1/interactions", Headers(), b'{"stream":true}')) for _ in range(2)
            )
            driver.close()
    assert (first.body, first.ending.how) == (event(0) + event(1) + b"dat", How.RST)
    assert (second.body, second.complete) == (b"".join(map(event, range(5))), True)


def test_a_refusal_never_reaches_the_upstream() -> None:
    """A status in the plan is the response; the server behind the proxy never sees the request."""
    serving = Serving(Chunk(event(0)))
    with ServerThread(serving) as server:
        faulty = cut(UpstreamServer(server.url), "all=status:429,retry-after:2", PROTOCOL)
        with InThread(WaitingServer(faulty)) as proxy:
            answer, _ = raw_exchange(proxy.port, get(connection="close"))
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: 2" in answer.lower()
    assert serving.requests == []


def test_a_client_that_leaves_ends_the_wait_for_the_upstream() -> None:
    """The upstream body is closed when the client leaves, even while the body stalls."""
    serving = Serving(Chunk(b"ab"), Ending(how=How.STALL))
    with ServerThread(serving) as server, InThread(WaitingServer(UpstreamServer(server.url))) as proxy:
        with connected(proxy.port) as sock:
            sock.sendall(get())
            while not sock.recv(65536).endswith(b"ab\r\n"):
                pass
        assert serving.bodies[0].closed.wait(30)


@pytest.mark.parametrize("leaves", [True, False], ids=["its client left", "its client stays"])
def test_nobody_waits_for_an_answer_that_does_not_come(leaves: bool) -> None:
    """If the upstream never answers, it sees a client's hang-up, and the proxy can still stop at once."""
    hung_up = threading.Event()

    def handler(connection: RawConnection) -> None:
        connection.wait_for_hangup()
        hung_up.set()

    with RawServer(handler) as server, InThread(WaitingServer(UpstreamServer(server.url))) as proxy:
        sock = socket.create_connection(("127.0.0.1", proxy.port))
        sock.sendall(get())
        until(lambda: server.connections == 1)
        if leaves:
            sock.close()
            assert hung_up.wait(30)
    assert hung_up.wait(30)
    sock.close()


def test_limits_of_ours_do_not_stall_a_client() -> None:
    """If the proxy cannot connect in time, the client's connection breaks; only the server may stall it."""
    with deaf() as port:
        upstream = UpstreamServer(f"http://127.0.0.1:{port}", limits=Limits(connect_seconds=0.1))
        with InThread(WaitingServer(upstream)) as proxy:
            assert raw_exchange(proxy.port, get()) == (b"", "rst")


def test_an_answer_that_nobody_waits_for_is_closed() -> None:
    """If a service answers after its client left, the body is still closed once."""
    go, asked = threading.Event(), threading.Event()
    body = CountedBody((Chunk(b"ab"), COMPLETE))

    def service(request: Request) -> Response:
        asked.set()
        assert go.wait(30)
        return Response(200, Headers(), Chunked(), body)

    with InThread(WaitingServer(service)) as proxy:
        with connected(proxy.port) as sock:
            sock.sendall(get())
            assert asked.wait(30)
        until(lambda: not proxy._hub.connections)
        go.set()
        assert body.closed.wait(30)
    assert body.closings == 1


@pytest.mark.parametrize(
    ("came", "passed"),
    [
        (b"5\r\nab", b"2\r\nab\r\n3\r\n"),
        (b"5\r\nabcde\r\n", b"5\r\nabcde\r\n"),
        (b"5\r\nabcde", b"5\r\nabcde\r\n1\r\n"),
        (b"5\r\n", b"5\r\n"),
    ],
)
def test_an_open_chunk_stays_open(came: bytes, passed: bytes) -> None:
    """The part of an open chunk that arrived is forwarded as a whole chunk; the rest as one that is cut off."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with RawServer(saying(head + came)) as server, InThread(WaitingServer(UpstreamServer(server.url))) as proxy:
        received, closing = raw_exchange(proxy.port, get())
    assert (received.partition(b"\r\n\r\n")[2], closing) == (passed, "fin")


def test_requests_pass_with_their_body_and_keep_the_connection() -> None:
    """Method, target and body arrive upstream; the client's connection serves the next request as well."""
    with ServerThread(echo) as server, InThread(WaitingServer(UpstreamServer(server.url))) as proxy:  # noqa: SIM117
        with connected(proxy.port) as sock:
            for number in (1, 2):
                sock.sendall(b"POST /x?a=%d HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi" % number)
                received = b""
                wanted = b"POST /x?a=%d hi" % number
                while not received.endswith(wanted):
                    received += sock.recv(65536)


def test_no_upstream_is_a_reset() -> None:
    """If the upstream cannot be reached, the client's connection is reset before the headers."""
    with InThread(WaitingServer(UpstreamServer(f"http://127.0.0.1:{free_port()}"))) as proxy:
        assert raw_exchange(proxy.port, get()) == (b"", "rst")
