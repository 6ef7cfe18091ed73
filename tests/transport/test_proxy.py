"""The proxy: an upstream as a service, carried by a server that waits on threads; faults in front of anything."""

from __future__ import annotations

import socket
import threading

import pytest

from harness.contract import PROTOCOL
from harness.faults import cut
from harness.outcome import UsageFault
from harness.transport import ServerThread, UrlDriver
from harness.transport.in_thread import InThread
from harness.transport.proxy import WaitingServer
from harness.transport.proxy_upstream import Upstream
from harness.wire import Chunk, Ending, Headers, How, Pause, Request
from tests.transport.endings_table import CASES, DEAD
from tests.transport.peers import RawServer, Serving, connected, echo, get, raw_exchange, read_to_end, until

ALL = {**CASES, **DEAD}
PASSES = [name for name, case in ALL.items() if case.closing in ("fin", "rst") and "bad" not in name]
STREAM = {"content-type": "text/event-stream"}


def event(number: int) -> bytes:
    """One event."""
    return b'data: {"event_type":"x","event_id":"e%d"}\n\n' % number


@pytest.mark.parametrize("name", PASSES)
def test_the_bytes_and_the_ending_of_the_upstream_pass(name: str) -> None:
    """The client gets the same body, and the connection ends in the same way, through the proxy."""
    case = ALL[name]
    with (
        ServerThread(Serving(*case.pieces, framing=case.framing)) as server,
        InThread(WaitingServer(Upstream(server.url))) as proxy,
    ):
        driver = UrlDriver(proxy.url)
        exchange = driver.send(Request("GET", "/x"))
        driver.close()
    assert exchange.body == case.body
    assert (exchange.ending.how, exchange.ending.complete) == (case.ending.how, case.ending.complete)


def test_what_arrives_is_sent_on_before_the_next_piece() -> None:
    """A stream that pauses is not held back: the client has the first event while the upstream waits."""
    go = threading.Event()

    def handler(connection) -> None:  # type: ignore[no-untyped-def]
        connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        go.wait(5)
        connection.send(b"0\r\n\r\n")

    with (
        RawServer(handler) as server,
        InThread(WaitingServer(Upstream(server.url))) as proxy,
        connected(proxy.port) as sock,
    ):
        sock.sendall(get(connection="close"))
        received = b""
        while not received.endswith(b"ab\r\n"):
            received += sock.recv(65536)
        go.set()
        assert read_to_end(sock) == (b"0\r\n\r\n", "fin")


def test_a_plan_cuts_the_stream_of_any_server_to_the_byte() -> None:
    """Two events and three bytes arrive, then a reset; the next connection is left alone."""
    serving = Serving(*[Chunk(event(number)) for number in range(5)])
    with ServerThread(serving) as server:
        faulty = cut(Upstream(server.url), "event:2+3,rst", PROTOCOL)
        with InThread(WaitingServer(faulty)) as proxy:
            driver = UrlDriver(proxy.url)
            first, second = (
                driver.send(Request("POST", "/v1/interactions", Headers(), b'{"stream":true}')) for _ in range(2)
            )
            driver.close()
    assert (first.body, first.ending.how) == (event(0) + event(1) + b"dat", How.RST)
    assert (second.body, second.complete) == (b"".join(map(event, range(5))), True)


def test_a_refusal_never_reaches_the_upstream() -> None:
    """A status of the plan is the answer; the server behind hears nothing of the request."""
    serving = Serving(Chunk(event(0)))
    with ServerThread(serving) as server:
        faulty = cut(Upstream(server.url), "all=status:429,retry-after:2", PROTOCOL)
        with InThread(WaitingServer(faulty)) as proxy:
            answer, _ = raw_exchange(proxy.port, get(connection="close"))
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: 2" in answer.lower()
    assert serving.requests == []


def test_a_client_that_leaves_ends_the_wait_for_the_upstream() -> None:
    """The body upstream is closed as soon as nobody reads it, also while it stands still."""
    serving = Serving(Chunk(b"ab"), Ending(how=How.STALL))
    with ServerThread(serving) as server, InThread(WaitingServer(Upstream(server.url))) as proxy:
        with connected(proxy.port) as sock:
            sock.sendall(get())
            while not sock.recv(65536).endswith(b"ab\r\n"):
                pass
        assert serving.bodies[0].closed.wait(5)


def test_streams_do_not_wait_for_each_other() -> None:
    """Fifty streams that pause are served at the same time, each request with its own answer."""
    with (
        ServerThread(Serving(Chunk(b"a"), Pause(0.05), Chunk(b"b"))) as server,
        InThread(WaitingServer(Upstream(server.url))) as proxy,
    ):
        driver = UrlDriver(proxy.url)
        exchanges = driver.together([Request("GET", f"/{number}") for number in range(50)])
        driver.close()
    assert {exchange.body for exchange in exchanges} == {b"ab"}


def test_requests_pass_with_their_body_and_keep_the_connection() -> None:
    """Method, target and body arrive; the client's connection serves the next request as well."""
    with ServerThread(echo) as server, InThread(WaitingServer(Upstream(server.url))) as proxy:  # noqa: SIM117
        with connected(proxy.port) as sock:
            for number in (1, 2):
                sock.sendall(b"POST /x?a=%d HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi" % number)
                received = b""
                wanted = b"POST /x?a=%d hi" % number
                while not received.endswith(wanted):
                    received += sock.recv(65536)


def test_no_upstream_is_a_reset() -> None:
    """What cannot be reached looks like a connection that dies before its headers."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with InThread(WaitingServer(Upstream(f"http://127.0.0.1:{port}"))) as proxy:
        assert raw_exchange(proxy.port, get()) == (b"", "rst")


def test_the_threads_end_with_the_server() -> None:
    """Nothing is left running."""
    with ServerThread(echo) as server, InThread(WaitingServer(Upstream(server.url))) as proxy:
        raw_exchange(proxy.port, get(connection="close"))
    until(lambda: not any(thread.name.startswith("harness-proxy") for thread in threading.enumerate()))


def test_a_taken_port_leaves_no_thread() -> None:
    """An address that cannot be had is a usage error, as of any server."""
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = WaitingServer(echo, port=taken.getsockname()[1])
        with pytest.raises(UsageFault, match="another host or port"), InThread(server):
            pass
    assert threading.active_count() == before
