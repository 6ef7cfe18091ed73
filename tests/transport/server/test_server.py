"""The socket server: exact bytes and endings, bodies closed once, corner cases of HTTP, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from harness.outcome import UsageFault
from harness.transport import Server, ServerLimits, ServerThread, ServiceDriver, UrlDriver
from harness.transport.http1.writer import ResponseWriter
from harness.transport.server.server import InThread, WaitingServer
from harness.wire import (
    COMPLETE,
    Chunk,
    Chunked,
    Ending,
    Framing,
    Headers,
    How,
    Length,
    LogicalClock,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    Service,
    UntilClose,
)
from tests.busy_machine import within
from tests.transport.certificates import Certificate
from tests.transport.endings_table import CASES, DEAD, HEADS, Case
from tests.transport.peers import (
    EVENTS,
    CountedBody,
    RawConnection,
    RawServer,
    Serving,
    connected,
    echo,
    free_port,
    get,
    raw_exchange,
    read_head,
    read_to_end,
    until,
)

Serve = Callable[..., ServerThread]
pytestmark = pytest.mark.usefixtures("no_proxy")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers and stops them; fails if one has `errors` that the test did not clear."""
    servers: list[ServerThread] = []

    def start(service: Service, **options: object) -> ServerThread:
        servers.append(ServerThread(service, **options))  # type: ignore[arg-type]
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
        assert not server.errors


def expect(case: Case, port: int, wire: bytes) -> None:
    """Check that one exchange gives exactly `wire`, and that the connection then closes as the case says."""
    with connected(port) as sock:
        sock.sendall(get())
        received = b""
        while len(received) < len(wire):
            more = sock.recv(65536)
            assert more, f"closed after {received!r}"
            received += more
        if case.closing in {"keep", "stall"}:
            sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                sock.recv(1)
        else:
            rest, closing = read_to_end(sock)
            received += rest
            assert closing == case.closing
        assert received == wire


@pytest.mark.parametrize("name", [*CASES, *DEAD])
def test_an_ending_is_exact_on_the_wire(name: str, serve: Serve) -> None:
    """Every ending of the table gives its bytes and its way to close; the body is closed once."""
    case = CASES.get(name) or DEAD[name]
    service = Serving(*case.pieces, framing=case.framing)
    wire = HEADS[type(case.framing)] + case.wire if name in CASES else case.wire
    server = serve(service)
    expect(case, server.port, wire)
    until(lambda: bool(service.bodies) and service.bodies[0].closed.is_set())
    server.stop()
    assert service.bodies[0].closings == 1


def test_a_reset_loses_no_byte(serve: Serve) -> None:
    """In a hundred runs, everything written before a reset arrives, then the reset."""
    body = bytes(range(256)) * 800
    server = serve(Serving(Chunk(body), Ending(how=How.RST), framing=Length(len(body) + 1)))
    for _ in range(100):
        received, closing = raw_exchange(server.port, get())
        assert closing == "rst"
        assert received.partition(b"\r\n\r\n")[2] == body


def many(count: int) -> tuple[Piece, ...]:
    """`count` events and a complete ending."""
    return (*(Chunk(b"data: %d\n\n" % index) for index in range(count)), COMPLETE)


def test_pauses_are_waited_for_and_move_the_clock(serve: Serve) -> None:
    """Bytes before a pause arrive before it ends; afterwards the clock has moved by its length."""

    def play(seconds: float) -> tuple[float, float]:
        clock = LogicalClock()
        server = serve(Serving(Chunk(b"a"), Pause(seconds), Chunk(b"b")), clock=clock)
        with connected(server.port) as sock:
            sock.sendall(get())
            assert read_head(sock) + b"" in (HEADS[Chunked], HEADS[Chunked] + b"1\r\na\r\n")
            before = clock.now
            while b"0\r\n\r\n" not in sock.recv(100):
                pass
        return before, clock.now / seconds

    # A busy machine may read the first bytes only after a short pause has ended.
    assert within(play, lambda seen: not seen[0], first=0.2) == (0, pytest.approx(1))


@pytest.mark.parametrize(
    "pieces",
    [(Pause(60),), (Chunk(b"a"), Pause(60)), (Chunk(b"a"), Ending(how=How.STALL)), (Pause(0.001),) * 100_000],
    ids=["before the first byte", "after a byte", "stalled", "between short pauses"],
)
@pytest.mark.parametrize("abrupt", [False, True], ids=["fin", "rst"])
def test_a_hangup_closes_the_body_once(pieces: tuple[Piece, ...], abrupt: bool, serve: Serve) -> None:
    """A client that leaves is noticed while the body pauses, and the body is closed once."""
    service = Serving(*pieces)
    server = serve(service)
    with connected(server.port) as sock:
        sock.sendall(get())
        read_head(sock)
        if abrupt:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: bool(service.bodies) and service.bodies[0].closed.is_set())
    server.stop()
    assert service.bodies[0].closings == 1


def endless() -> Iterator[Piece]:
    """Chunks for ever."""
    yield from itertools.repeat(Chunk(b"x" * 1000))


RECORDED_HEADS: dict[str, tuple[Framing, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "length": (
        Length(2),
        [("Date", "d"), ("Content-Length", "2"), ("X-A", "1"), ("x-a", "2"), ("Connection", "keep-alive")],
        [("Date", "d"), ("Content-Length", "2"), ("X-A", "1"), ("x-a", "2"), ("Connection", "keep-alive")],
    ),
    "chunks": (
        Chunked(),
        [("Transfer-Encoding", "chunked"), ("Keep-Alive", "timeout=5"), ("Server", "s")],
        [("Transfer-Encoding", "chunked"), ("Keep-Alive", "timeout=5"), ("Server", "s")],
    ),
    "another length": (Length(2), [("Content-Length", "9"), ("a", "b")], [("Content-Length", "2"), ("a", "b")]),
    "another framing": (
        Chunked(),
        [("Content-Length", "2"), ("a", "b")],
        [("a", "b"), ("transfer-encoding", "chunked")],
    ),
    "closed": (UntilClose(), [("Connection", "Close"), ("a", "b")], [("Connection", "Close"), ("a", "b")]),
    "not said to close": (UntilClose(), [("Connection", "keep-alive")], [("connection", "close")]),
}


@pytest.mark.parametrize("name", RECORDED_HEADS)
def test_a_head_that_speaks_of_its_framing_stays_as_it_is(name: str, serve: Serve) -> None:
    """A recorded head keeps its order and spelling; false framing fields are corrected, missing ones added."""
    framing, given, sent = RECORDED_HEADS[name]

    def service(request: Request) -> Response:
        return Response(200, Headers(given), framing, PieceBody([Chunk(b"ab"), COMPLETE]))

    with connected(serve(service).port) as sock:
        sock.sendall(get())
        lines = read_head(sock).partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    assert lines == [f"{name}: {value}" for name, value in sent]
    exchange = ServiceDriver(service).send(Request("GET", "/x"))
    assert list(exchange.headers) == sent


def test_an_answer_that_says_close_is_the_last_one(serve: Serve) -> None:
    """A recorded `Connection: close` closes the connection after the response."""
    fields = Headers((("content-length", "2"), ("Connection", "close")))
    server = serve(lambda request: Response(200, fields, Length(2), PieceBody([Chunk(b"ab"), COMPLETE])))
    assert raw_exchange(server.port, get() + get())[0].count(b"HTTP/1.1 200") == 1


class Endless:
    """A service whose body never ends."""

    def __init__(self) -> None:
        self.body = CountedBody(endless())

    def __call__(self, request: Request) -> Response:
        return Response(200, EVENTS, Chunked(), self.body)


def test_a_client_that_does_not_read_stops_the_body(serve: Serve) -> None:
    """A body is pulled no further than the buffers hold, and closed when the client disconnects."""
    service = Endless()
    server = serve(service)
    with connected(server.port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(get())
        pulled = -1
        while pulled != service.body.pulled or not pulled:  # until it is no longer pulled
            pulled = service.body.pulled
            threading.Event().wait(0.05)
        assert 0 < pulled < 50_000
        sock.shutdown(socket.SHUT_WR)  # all that the server can see of a leaving client while buffers are full
        assert service.body.closed.wait(30)


ONE = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"


def answer(text: bytes, extra: bytes = b"") -> bytes:
    """The response of `echo`, as bytes."""
    return ONE + b"content-length: %d\r\n%b\r\n" % (len(text), extra) + text


CLOSE = b"connection: close\r\n"
POST = b"POST /p HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
CONVERSATIONS = {
    "keep-alive and pipelining": (
        get("/1") + get("/2") + get("/3", connection="close"),
        answer(b"GET /1 ") + answer(b"GET /2 ") + answer(b"GET /3 ", CLOSE),
    ),
    "a body with a length": (POST + b"content-length: 3\r\n\r\nabc", answer(b"POST /p abc", CLOSE)),
    "a body in chunks": (
        POST + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\na: b\r\n\r\n",
        answer(b"POST /p abc", CLOSE),
    ),
    "an empty line before the request": (b"\r\n" + get("/1", connection="close"), answer(b"GET /1 ", CLOSE)),
    "an absolute target": (get("http://h:1/a?b", connection="close"), answer(b"GET /a?b ", CLOSE)),
    "HTTP/1.0": (b"GET /1 HTTP/1.0\r\n\r\n", answer(b"GET /1 ", CLOSE)),
    "HEAD": (
        b"HEAD /1 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
        ONE + b"content-length: 8\r\nconnection: close\r\n\r\n",
    ),
    "100-continue": (
        POST + b"expect: 100-continue\r\ncontent-length: 3\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("step", [100_000, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("others", [0, 5], ids=["alone", "beside others"])
def test_a_conversation(name: str, step: int, others: int, serve: Serve) -> None:
    """Requests are understood however they are split, and answered in order with the expected bytes."""
    asked, expected = CONVERSATIONS[name]
    server = serve(echo)
    with contextlib.ExitStack() as stack:
        for _ in range(others):
            other = stack.enter_context(connected(server.port))
            other.sendall(get())
            read_head(other)
        sock = stack.enter_context(connected(server.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(asked), step):
            sock.sendall(asked[at : at + step])
        if name == "100-continue":
            assert read_head(sock) == expected
            sock.sendall(b"abc")
            expected = answer(b"POST /p abc", CLOSE)
        assert read_to_end(sock) == (expected, "fin")


def test_chunked_becomes_close_delimited_for_http_1_0(serve: Serve) -> None:
    """An HTTP/1.0 client, which cannot read chunks, gets a body that ends at the close."""
    server = serve(Serving(Chunk(b"a"), Chunk(b"b")))
    received, closing = raw_exchange(server.port, b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    assert (received.partition(b"\r\n\r\n")[2], closing) == (b"ab", "fin")


SMALL = ServerLimits(head_bytes=500, body_bytes=10, request_seconds=60, idle_seconds=60)
REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00", 400),
    "a bad field": (b"GET / HTTP/1.1\r\nhost: h\r\nno colon\r\n\r\n", 400),
    "length and chunks": (
        b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        400,
    ),
    "two lengths": (b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
    "a bad chunk": (b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nxx\r\n", 400),
    "a big head": (b"GET / HTTP/1.1\r\nhost: h\r\na: " + b"b" * 600 + b"\r\n\r\n", 431),
    "a big head without an end": (b"GET / HTTP/1.1\r\nhost: h\r\na: " + b"b" * 600, 431),
    "a big body": (b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 11\r\n\r\n" + b"b" * 11, 413),
    "a huge body": (b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5000000\r\n\r\n" + b"b" * 5_000_000, 413),
    "a big body in chunks": (
        b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nb\r\n" + b"b" * 11,
        413,
    ),
    "half a head for ever": (b"GET / HT", 408),
    "half a body for ever": (b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nb", 408),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_cannot_be_served(name: str, serve: Serve) -> None:
    """The refusal has the right status, gives the reason in JSON, arrives whole, and ends the connection."""
    sent, status = REFUSED[name]
    server = serve(echo, limits=replace(SMALL, request_seconds=0.1) if status == 408 else SMALL)
    received, closing = raw_exchange(server.port, sent)
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert b'{"error": {"code": %d, "message": "' % status in received
    assert closing == "fin"


def test_an_idle_connection_is_closed(serve: Serve) -> None:
    """A kept-alive connection is closed after the idle limit."""
    server = serve(echo, limits=replace(SMALL, idle_seconds=1))
    assert raw_exchange(server.port, get("/1")) == (answer(b"GET /1 "), "fin")


def test_a_browser_may_call_when_asked_for(serve: Serve) -> None:
    """With `cors` the server answers preflights and opens every response to pages; without, it adds nothing."""
    preflight = (
        b"OPTIONS /v1 HTTP/1.1\r\nhost: h\r\naccess-control-request-method: POST\r\nconnection: close\r\n\r\n"
    )
    service = Serving(Chunk(b"a"))
    server = serve(service, cors=("x-goog-api-key",))
    received, _ = raw_exchange(server.port, preflight)
    assert received.startswith(b"HTTP/1.1 204 ")
    assert b"access-control-allow-origin: *\r\n" in received
    assert b"x-goog-api-key" in received
    assert not service.requests
    assert b"access-control-allow-origin: *\r\n" in raw_exchange(server.port, get(connection="close"))[0]
    assert b"access-control" not in raw_exchange(serve(service).port, preflight)[0]


def test_some_requests_can_be_kept_from_pages(serve: Serve) -> None:
    """Requests outside `cors_for` get no CORS header, and their preflights reach the service."""
    service = Serving(Chunk(b"a"))
    server = serve(service, cors=("x-a",), cors_for=lambda request: request.target != "/closed")
    for path, opened in (("/closed", False), ("/open", True)):
        for method in ("GET", "OPTIONS"):
            fields = "host: h\r\naccess-control-request-method: POST\r\nconnection: close"
            asking = f"{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n"
            received, _ = raw_exchange(server.port, asking.encode())
            assert (b"access-control" in received) == opened
    assert [request.method for request in service.requests] == ["GET", "OPTIONS", "GET"]


OPEN = Headers((("Access-Control-Allow-Origin", "http://page"), ("access-control-expose-headers", "x-y")))


@pytest.mark.parametrize("cors", [("x-a",), ()])
@pytest.mark.parametrize("kind", [Server, WaitingServer])
def test_pages_are_let_in_once(kind: type[Server], cors: tuple[str, ...]) -> None:
    """CORS fields are sent once, even if the service sends its own: browsers refuse two origins."""
    with InThread(kind(lambda request: Response.whole(200, OPEN, b"a"), cors=cors)) as server:
        received = raw_exchange(server.port, get(connection="close"))[0].lower()
    origin = b"access-control-allow-origin: "
    assert received.count(origin) == received.count(b"access-control-expose-headers") == 1
    assert (origin + b"*" in received, origin + b"http://page" in received) == (bool(cors), not cors)


def raising(request: Request) -> Response:
    """A service that fails."""
    raise KeyError("oops")


def raising_later() -> Iterator[Piece]:
    """A body that fails after a pause."""
    yield Chunk(b"a")
    yield Pause(0)
    raise KeyError("oops")


BROKEN: dict[str, tuple[Callable[[], PieceBody], Chunked | Length]] = {
    "raises later": (lambda: PieceBody(raising_later()), Chunked()),
    "has no ending": (lambda: PieceBody([Chunk(b"a")]), Chunked()),
    "is longer than its length": (lambda: PieceBody([Chunk(b"abc"), COMPLETE]), Length(2)),
    "goes on after an open chunk": (lambda: PieceBody([Chunk(b"a", 3), Chunk(b"b"), COMPLETE]), Chunked()),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_body_is_our_fault(name: str, serve: Serve) -> None:
    """The connection is reset, and `errors` says what went wrong."""
    body, framing = BROKEN[name]
    server = serve(lambda request: Response(200, EVENTS, framing, body()))
    _, closing = raw_exchange(server.port, get())
    assert closing == "rst"
    assert (
        "PieceBody" in str(server.errors[0])
        or "Chunk" in str(server.errors[0])
        or "Length" in str(server.errors[0])
    )
    server.errors.clear()


def test_a_service_that_raises_is_a_500(serve: Serve) -> None:
    """The client gets a 500 that names the exception, and the fault is in `errors`."""
    server = serve(raising)
    received, _ = raw_exchange(server.port, get(connection="close"))
    assert received.startswith(b"HTTP/1.1 500 ")
    assert b"KeyError" in received
    assert "GET /x" in str(server.errors[0])
    server.errors.clear()


def test_headers_cannot_be_split(serve: Serve) -> None:
    """A line end in a header value is refused before a byte is sent."""
    server = serve(lambda request: Response.whole(200, Headers((("a", "b\r\nc: d"),)), b""))
    assert raw_exchange(server.port, get()) == (b"", "rst")
    assert "'a'" in str(server.errors[0])
    server.errors.clear()


def test_a_stop_leaves_nothing_behind() -> None:
    """A stop hangs up open streams, closes bodies once, and frees the thread and the port."""
    before = set(threading.enumerate())
    service = Serving(Chunk(b"a"), Pause(60))
    with ServerThread(service, port=free_port()) as server, connected(server.port) as sock:
        sock.sendall(get())
        read_head(sock)
        server.stop()
        assert read_to_end(sock)[1] in {"fin", "rst"}
    assert set(threading.enumerate()) <= before
    assert service.bodies[0].closings == 1
    with socket.create_server(("127.0.0.1", server.port)):
        pass


def test_a_bound_socket_may_be_given() -> None:
    """The server listens on the given socket, whose port is known before the start, and closes it."""
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    server = ServerThread(echo, sock=sock)
    assert (server.port, server.url) == (port, f"http://127.0.0.1:{port}")
    with server:
        assert raw_exchange(port, get(connection="close"))[0].endswith(b"GET /x ")
    assert sock.fileno() == -1


def test_an_address_in_use_is_a_usage_fault() -> None:
    """An address in use raises `UsageFault`, and the message says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(UsageFault, match="choose another"):
            ServerThread(echo, port=port).start()


def test_a_server_in_the_callers_own_loop() -> None:
    """`async with Server(…)` serves from the running loop, also if that is asyncio's own."""

    async def main() -> bytes:
        async with Server(echo) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(get("/1", connection="close"))
            received = await reader.read()
            writer.close()
            await writer.wait_closed()
            return received

    assert asyncio.run(main()) == answer(b"GET /1 ", CLOSE)


def test_endings_are_exact_without_uvloop() -> None:
    """A reset is exact on asyncio's own loop as well."""

    async def main() -> list[tuple[bytes, str]]:
        async with Server(Serving(Chunk(b"ab"), Ending(how=How.RST), framing=UntilClose())) as server:
            return [await asyncio.to_thread(raw_exchange, server.port, get()) for _ in range(10)]

    assert asyncio.run(main()) == [(HEADS[UntilClose] + b"ab", "rst")] * 10


def test_tls(certificate: Certificate, serve: Serve) -> None:
    """https works if `ca_file` makes the certificate trusted; otherwise the exchange is a TLS ending."""
    server = serve(Serving(*many(100)), tls=certificate.context)
    trusting = UrlDriver(server.url, ca_file=certificate.ca_file)
    exchanges = [trusting.send(Request("GET", "/")) for _ in range(3)]
    distrusting = UrlDriver(server.url)
    refused = distrusting.send(Request("GET", "/"))
    trusting.close()
    distrusting.close()
    assert {exchange.ending for exchange in exchanges} == {COMPLETE}
    assert exchanges[0].body == b"".join(piece.data for piece in many(100) if isinstance(piece, Chunk))
    assert refused.ending.how is How.TLS


@pytest.mark.parametrize("how", [How.RST, How.FIN])
@pytest.mark.parametrize("framing", [UntilClose(), Chunked()], ids=["close", "chunked"])
def test_endings_under_tls(how: How, framing: Framing, certificate: Certificate, serve: Serve) -> None:
    """Bytes written before the ending arrive, and a reset is told from a FIN."""
    server = serve(Serving(Chunk(b"ab"), Ending(how=how), framing=framing), tls=certificate.context)
    driver = UrlDriver(server.url, ca_file=certificate.ca_file)
    exchange = driver.send(Request("GET", "/"))
    clean = how is How.FIN and isinstance(framing, UntilClose)
    assert (exchange.body, exchange.ending.how) == (b"ab", How.COMPLETE if clean else how)


def test_tls_that_ends_without_its_own_end_is_cut(certificate: Certificate) -> None:
    """Without close_notify, a body that only the close ends counts as cut off (RFC 9112, 9.8)."""

    def handler(connection: RawConnection) -> None:
        with certificate.context.wrap_socket(connection.sock, server_side=True) as secure:
            read_head(secure)
            secure.sendall(HEADS[UntilClose] + b"ab")

    with RawServer(handler, read_request=False) as server:
        driver = UrlDriver(server.url.replace("http:", "https:"), ca_file=certificate.ca_file)
        exchange = driver.send(Request("GET", "/"))
    assert (exchange.body, exchange.ending.how) == (b"ab", How.FIN)
    assert "close_notify" in exchange.ending.detail


def test_a_head_with_a_length_comes_with_its_body() -> None:
    """Proxies limit the time until the head of a response, which a server writes once it has the body."""
    late = PieceBody((Pause(1.0), Chunk(b"{}"), COMPLETE))
    writer = ResponseWriter(Response(200, Headers(), Length(2), late), "POST")
    assert (writer.batch(), writer.pause) == (b"", Pause(1.0))
    assert writer.batch() == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
