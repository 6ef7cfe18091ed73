"""The tap: a client sees through it what it would see without it, and the record has all of it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from harness.cassette.stored_bytes import Spool
from harness.outcome import UsageFault
from harness.transport import ServerThread
from harness.transport.server.server import InThread
from harness.transport.tap.exchange_tracker import STOPPED
from harness.transport.tap.tap import Tap
from harness.wire import At, By, Chunk, Ending, Exchange, How, Length, Request
from tests.in_one_test import in_one_test
from tests.transport.endings_table import ALL, DEAD, HEADS, Case
from tests.transport.peers import (
    RawConnection,
    RawServer,
    Serving,
    connected,
    echo,
    free_port,
    get,
    raw_exchange,
    read_to_end,
    saying,
    saying_then_waiting,
    tapped,
    until,
)


def what_a_client_sees(port: int, case: Case) -> tuple[bytes, str]:
    """All bytes and how the connection closed; if it would stay open, the client closes it."""
    with connected(port) as sock:
        sock.sendall(get())
        if case.closing not in ("keep", "stall"):
            return read_to_end(sock)
        wanted = len(case.wire) if case in DEAD.values() else len(HEADS[type(case.framing)] + case.wire)
        received = b""
        while len(received) < wanted:
            received += sock.recv(65536)
        return received, case.closing


@in_one_test(name=[name for name in ALL if name != "stall in headers"])  # a head passes once it is whole
def test_an_ending_passes_as_it_is_and_is_recorded(name: str) -> None:
    """Bytes, FIN and RST are the same as on a direct connection; the record has the ending and the whole body."""
    case = ALL[name]
    with ServerThread(Serving(*case.pieces, framing=case.framing)) as server:
        direct = what_a_client_sees(server.port, case)
        with tapped(server.url) as (tap, seen):
            assert what_a_client_sees(tap.port, case) == direct
            until(lambda: bool(seen))
    (exchange,) = seen
    assert exchange.body == case.body
    if case.closing != "stall":
        assert (exchange.ending.by, exchange.ending.how) == (case.ending.by, case.ending.how)
    else:
        assert (exchange.ending.by, exchange.ending.how) == (By.CLIENT, How.FIN)
    where = (exchange.ending.at, exchange.ending.declared, exchange.ending.sent)
    assert where == (case.ending.at, case.ending.declared, case.ending.sent)


def test_a_piece_is_an_http_chunk_however_it_arrives() -> None:
    """Several chunks in one read are recorded as several pieces, a chunk in several reads as one."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    go = threading.Event()

    def handler(connection) -> None:  # type: ignore[no-untyped-def]
        connection.send(head + b"2\r\nab\r\n3\r\ncde\r\n4\r\nfg")
        go.wait(30)
        connection.send(b"hi\r\n0\r\n\r\n")
        connection.wait_for_hangup()

    with RawServer(handler) as server, tapped(server.url) as (tap, seen), connected(tap.port) as sock:
        sock.sendall(get())
        received = b""
        while not received.endswith(b"fg"):
            received += sock.recv(65536)
        go.set()
        until(lambda: bool(seen))
    assert list(seen[0].arrivals.sizes) == [2, 3, 4]


def test_only_the_host_field_changes_on_the_way() -> None:
    """Apart from Host, every byte of a request is forwarded as the client wrote it."""
    heads: list[bytes] = []
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    def handler(connection) -> None:  # type: ignore[no-untyped-def]
        heads.append(connection.sock.recv(65536))
        connection.send(answer)

    sent = b"POST /v1/x?b=%2F HTTP/1.1\r\nX-Odd:  Kept \r\nHOST: tap:1\r\naccept-Encoding: zstd\r\n"
    sent += b"Content-Length: 3\r\n\r\nabc"
    with RawServer(handler, read_request=False) as server, tapped(server.url) as (tap, seen):
        raw_exchange(tap.port, sent)
        until(lambda: bool(seen))
        assert heads == [sent.replace(b"tap:1", f"127.0.0.1:{server.port}".encode())]
    assert (seen[0].request.target, seen[0].request.body) == ("/v1/x?b=%2F", b"abc")


def test_an_encoding_can_be_asked_for() -> None:
    """`encoding` replaces the client's Accept-Encoding, and is added if there is none."""

    def service(request: Request):  # type: ignore[no-untyped-def]
        return echo(Request("X", "/" + ",".join(request.headers.all("accept-encoding"))))

    with ServerThread(service) as server, tapped(server.url, encoding="identity") as (tap, _):
        for fields in ({"accept_encoding": "gzip, br"}, {}):
            assert raw_exchange(tap.port, get(connection="close", **fields))[0].endswith(b"X /identity ")


def test_requests_may_be_pipelined_and_kept_alive() -> None:
    """Pipelined requests are answered, and recorded separately, in their order."""
    with ServerThread(echo) as server, tapped(server.url) as (tap, seen):
        received, _ = raw_exchange(tap.port, get("/a") + get("/b") + get("/c", connection="close"))
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert [exchange.body for exchange in seen] == [b"GET /a ", b"GET /b ", b"GET /c "]


@pytest.mark.parametrize("how", [How.FIN, How.RST])
def test_a_client_that_hangs_up_is_recorded_and_upstream_learns_of_it(how: How) -> None:
    """The recorded ending is the client's, after the bytes that passed; the service's body is closed."""
    serving = Serving(Chunk(b"ab"), Ending(how=How.STALL))
    with ServerThread(serving) as server, tapped(server.url) as (tap, seen):
        with connected(tap.port) as sock:
            sock.sendall(get())
            while not sock.recv(65536).endswith(b"ab\r\n"):
                pass
            if how is How.RST:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        until(lambda: bool(seen))
        assert serving.bodies[0].closed.wait(30)
    assert seen[0].ending == Ending(By.CLIENT, how, At.IN_BODY)
    assert seen[0].body == b"ab"


def test_a_whole_answer_is_kept_before_its_client_has_seen_it() -> None:
    """The last byte of a response waits for the sink; the bytes before it do not."""
    gate: list[asyncio.Future[None]] = []

    def sink(exchange: Exchange) -> Awaitable[None]:
        gate.append(asyncio.get_running_loop().create_future())
        return gate[0]

    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde"
    with RawServer(saying_then_waiting(answer)) as server, InThread(Tap(server.url, sink)) as tap:  # noqa: SIM117
        with connected(tap.port) as sock:
            sock.sendall(get())
            received = b""
            while len(received) < len(answer) - 1:
                received += sock.recv(65536)
            assert received == answer[:-1]
            until(lambda: bool(gate))
            gate[0].get_loop().call_soon_threadsafe(gate[0].set_result, None)
            assert sock.recv(10) == b"e"


def test_a_record_that_is_being_kept_outlives_its_client_and_the_tap() -> None:
    """Stopping the tap closes its connections, and waits until the sink is done."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde"
    kept: list[int] = []

    async def play(server: RawServer) -> None:
        begun, gate = asyncio.Event(), asyncio.Event()

        async def sink(exchange: Exchange) -> None:
            begun.set()
            await gate.wait()
            kept.append(exchange.size)

        tap = Tap(server.url, sink)
        await tap.start()
        _, writer = await asyncio.open_connection("127.0.0.1", tap.port)
        writer.write(get())
        await begun.wait()
        writer.transport.abort()
        stopping = asyncio.create_task(tap.stop())
        for _ in range(20):
            await asyncio.sleep(0)
        gate.set()
        await stopping

    with RawServer(saying_then_waiting(answer)) as server:
        asyncio.run(play(server))
    assert kept == [5]


def test_a_sink_that_fails_harms_no_client() -> None:
    """If the sink raises, the client still gets its response, and the failure is in `errors`."""

    def sink(exchange: Exchange) -> None:
        raise OSError("the disk is full")

    with ServerThread(echo) as server, InThread(Tap(server.url, sink)) as tap:
        assert raw_exchange(tap.port, get(connection="close"))[0].endswith(b"GET /x ")
    assert [str(error) for error in tap.errors] == ["the disk is full"]


def test_no_upstream_is_a_reset_and_a_record_that_says_refused() -> None:
    """Through a tap, the client of a dead target sees a connection that is reset before the headers."""
    with tapped(f"http://127.0.0.1:{free_port()}") as (tap, seen):
        assert raw_exchange(tap.port, get()) == (b"", "rst")
        until(lambda: bool(seen))
    assert (seen[0].status, seen[0].ending.how, seen[0].ending.at) == (None, How.REFUSED, At.BEFORE_HEADERS)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"anything"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nbroken line\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ],
)
def test_what_is_not_understood_passes_all_the_same(sent: bytes, answer: bytes) -> None:
    """Bytes that are not an HTTP/1 request pass, with Host replaced, and are reported as unrecorded."""
    got: list[bytes] = []

    def handler(connection) -> None:  # type: ignore[no-untyped-def]
        got.append(connection.sock.recv(65536))
        connection.send(answer)

    with RawServer(handler, read_request=False) as server, tapped(server.url) as (tap, seen):
        assert raw_exchange(tap.port, sent) == (answer, "fin")
        sent = sent.replace(b"host: a", f"host: {tap.origin.removeprefix('http://')}".encode())
    assert (got, seen, len(tap.unrecorded)) == ([sent], [], 1)


def test_an_answer_that_goes_on_when_the_tap_stops_is_recorded_as_far_as_it_came() -> None:
    """A response cut off by the stop is recorded; its ending says that we ended it, and where."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"
    seen: list[Exchange] = []
    with RawServer(saying_then_waiting(answer)) as server:
        tap = Tap(server.url, seen.append)
        with connected_through(tap) as sock:
            sock.sendall(get())
            while not sock.recv(65536).endswith(b"ab"):
                pass
    assert (tap.unrecorded, [exchange.body for exchange in seen]) == ([], [b"ab"])
    assert seen[0].ending == Ending(By.LIMIT, How.FIN, At.IN_BODY, 5, 2, STOPPED)


def test_a_request_without_an_answer_when_the_tap_stops_is_named() -> None:
    """A request still unanswered at the stop has no record, but is named in `unrecorded`."""
    came = threading.Event()

    def handler(connection: RawConnection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nx-")
        came.set()
        connection.wait_for_hangup()

    with RawServer(handler) as server:
        tap = Tap(server.url, lambda exchange: None)
        with connected_through(tap) as sock:
            sock.sendall(get())
            assert came.wait(30)
    assert tap.unrecorded == ["GET /x: the recorder was stopped before its response arrived"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3, 7\r\n\r\nabc", "content-length '3, 7' is not one number"),
        (b"HELLO\r\n\r\n", "'HELLO' is not HTTP/1"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", "No such file or directory"),
    ],
)
def test_what_is_not_recorded_is_named(answer: bytes, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names the last request that could be followed, also if the disk does not take its response."""
    monkeypatch.setattr("harness.transport.tap.exchange_tracker.IN_MEMORY", 0)
    spool = partial(Spool, Path("nowhere"))
    with RawServer(saying(answer)) as server, tapped(server.url, spool=spool) as (tap, seen):
        raw_exchange(tap.port, get("/a?key=secret"))
    if told.endswith("directory"):
        assert (tap.unrecorded, seen) == ([f"GET /a: its response cannot be kept: {told}"], [])
    else:
        assert tap.unrecorded == [f"the bytes after GET /a on its connection: {told}"]


@contextmanager
def connected_through(tap: Tap) -> Iterator[socket.socket]:
    """A client connection that is still open when the tap stops."""
    with ExitStack() as stack, InThread(tap):
        sock = stack.enter_context(connected(tap.port))
        yield sock


def test_a_slow_client_slows_upstream_down() -> None:
    """If the client does not read, the tap stops reading upstream, so its memory does not grow."""
    body = b"x" * 65_536
    serving = Serving(*[Chunk(body)] * 1600, framing=Length(len(body) * 1600))
    with ServerThread(serving) as server, tapped(server.url) as (tap, _), connected(tap.port) as sock:
        sock.sendall(get())
        assert sock.recv(1024)
        pulled = -1
        while pulled != serving.bodies[0].pulled:  # until nothing moves any more
            pulled = serving.bodies[0].pulled
            threading.Event().wait(0.2)
        assert pulled < 800


@pytest.mark.parametrize("target", ["http://h/v1beta", "http://h?x=1", "ftp://h", "nonsense", "http://u:p@h"])
def test_a_target_is_a_server_and_nothing_more(target: str) -> None:
    """A target that is not a bare origin is refused, and the message says what to write instead."""
    with pytest.raises(UsageFault, match="http"):
        Tap(target, lambda exchange: None)


def test_chunked_requests_pass_byte_for_byte() -> None:
    """A chunked request body is forwarded with the chunk lines of its client, and recorded without them."""
    got: list[bytes] = []
    body = b"3;x=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"

    def handler(connection) -> None:  # type: ignore[no-untyped-def]
        data = b""
        while not data.endswith(b"t\r\n\r\n"):
            data += connection.sock.recv(65536)
        got.append(data)
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    with RawServer(handler, read_request=False) as server, tapped(server.url) as (tap, seen):  # noqa: SIM117
        with connected(tap.port) as sock:
            for byte in head + body:
                sock.sendall(bytes((byte,)))
            read_to_end(sock)
    assert got[0].endswith(body)
    assert seen[0].request.body == b"abc0123456789"
