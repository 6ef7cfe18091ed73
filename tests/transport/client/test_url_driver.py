"""The URL driver ends exchanges with hostile targets in bounded time, and finds no false faults in honest ones."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import HTTPServer
from typing import ClassVar, NamedTuple

import pytest
from msgspec.structs import replace

from harness.outcome import UsageFault
from harness.transport import Limits, UrlDriver
from harness.transport.client.driver import UrlReading
from harness.transport.client.stream import StreamEnds, read_whole
from harness.wire import COMPLETE, At, By, Ending, Exchange, Headers, How, Request
from tests.busy_machine import within
from tests.foreign.answering import AnsweringHandler
from tests.transport.peers import (
    RawConnection,
    RawServer,
    free_port,
    read_head,
    saying,
    saying_then_waiting,
    until,
)

LIMITS = Limits(
    connect_seconds=2,
    head_seconds=1,
    idle_seconds=1,
    total_seconds=2,
    head_bytes=4096,
    body_bytes=100_000,
    event_bytes=10_000,
    decoded_bytes=3_000_000,
)
PATIENT = replace(LIMITS, connect_seconds=30, head_seconds=30, idle_seconds=30, total_seconds=60)
BOUND = 30.0
GET = Request("GET", "/v1beta/interactions/1")

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"content-type: application/json\r\n"
CHUNKED = OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
OPEN = OK + b"content-type: text/event-stream\r\nconnection: close\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\ncontent-ty"
TIMEOUT = Ending(By.LIMIT, How.TIMEOUT)
FLOOD = Ending(By.LIMIT, How.FIN)
HEAD_FLOOD = Ending(By.LIMIT, How.FIN, At.IN_HEADERS)
NO_HTTP = Ending(By.SERVER, How.BAD_HTTP, At.BEFORE_HEADERS)
BAD_HEAD = Ending(By.SERVER, How.BAD_HTTP, At.IN_HEADERS)
BAD_BODY = Ending(By.SERVER, How.BAD_HTTP)
BOMB = gzip.compress(b"0" * 20_000_000)


def whole(body: bytes, *fields: bytes) -> bytes:
    """A response with a correct Content-Length."""
    return JSON + b"".join(field + b"\r\n" for field in fields) + b"content-length: %d\r\n\r\n" % len(body) + body


def endless(head: bytes, part: bytes, *, every: float = 0.0) -> Callable[[RawConnection], None]:
    """A handler that repeats `part` until the client leaves."""

    def handler(connection: RawConnection) -> None:
        connection.send(head)
        connection.send_for_ever(part, every=every)

    return handler


def reset(connection: RawConnection) -> None:
    """Answer a request with a RST."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def chunk(data: bytes, declared: int | None = None) -> bytes:
    """One HTTP chunk without its final line end."""
    return b"%x\r\n%b" % (declared or len(data), data)


class Hostile(NamedTuple):
    """What a target does, the ending, the status, and the body, None for any."""

    does: Callable[[RawConnection], None]
    ending: Ending
    status: int | None = None
    body: bytes | None = b""


HOSTILE = {
    "never answers": Hostile(saying_then_waiting(b""), Ending(By.LIMIT, How.TIMEOUT, At.BEFORE_HEADERS)),
    "closes": Hostile(saying(b""), Ending(By.SERVER, How.FIN, At.BEFORE_HEADERS)),
    "resets": Hostile(reset, Ending(By.SERVER, How.RST, At.BEFORE_HEADERS)),
    "half a head, then silence": Hostile(
        saying_then_waiting(HALF), Ending(By.LIMIT, How.TIMEOUT, At.IN_HEADERS, sent=len(HALF))
    ),
    "half a head, then FIN": Hostile(saying(HALF), Ending(By.SERVER, How.FIN, At.IN_HEADERS, sent=len(HALF))),
    "a head byte by byte": Hostile(
        endless(OK + b"x: ", b"a", every=0.02), Ending(By.LIMIT, How.TIMEOUT, At.IN_HEADERS)
    ),
    "header flood in bytes": Hostile(endless(OK, b"a: " + b"b" * 900 + b"\r\n"), HEAD_FLOOD),
    "one endless header": Hostile(endless(OK + b"x: ", b"a" * 500), HEAD_FLOOD),
    "interim responses for ever": Hostile(endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), HEAD_FLOOD),
    "another protocol": Hostile(saying_then_waiting(b"SSH-2.0-x\r\n"), NO_HTTP),
    "a bad status line": Hostile(saying(b"HTTP/1.1 2000 OK\r\n\r\n"), NO_HTTP),
    "a bad header": Hostile(saying(OK + b"no colon\r\n\r\n"), BAD_HEAD),
    "two content lengths": Hostile(saying(OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab"), BAD_HEAD),
    "an unknown transfer coding": Hostile(saying(OK + b"transfer-encoding: gzip\r\n\r\nab"), BAD_HEAD),
    "content length too big, FIN": Hostile(
        saying(OK + b"content-length: 10\r\n\r\nabc"), Ending(By.SERVER, How.FIN, At.IN_BODY, 10, 3), 200, b"abc"
    ),
    "content length too big, silence": Hostile(
        saying_then_waiting(OK + b"content-length: 10\r\n\r\nabc"),
        Ending(By.LIMIT, How.TIMEOUT, At.IN_BODY, 10, 3),
        200,
        b"abc",
    ),
    "content length too small": Hostile(
        saying(OK + b"content-length: 2\r\n\r\nabc"),
        Ending(how=How.COMPLETE, at=At.IN_BODY, declared=2, sent=3),
        200,
        b"ab",
    ),
    "endless body": Hostile(endless(OPEN, b"x" * 5000), FLOOD, 200, None),
    "endless events": Hostile(endless(CHUNKED, chunk(b"data: x\n\n" * 100) + b"\r\n"), FLOOD, 200, None),
    "endless small body, slowly": Hostile(endless(OPEN, b"x", every=0.02), TIMEOUT, 200, None),
    "a stream that falls silent": Hostile(
        saying_then_waiting(CHUNKED + chunk(b"abc") + b"\r\n"), TIMEOUT, 200, b"abc"
    ),
    "endless trailers": Hostile(endless(CHUNKED + b"0\r\n", b"a: b\r\n"), FLOOD, 200),
    "a bad chunk size": Hostile(
        saying_then_waiting(CHUNKED + chunk(b"abc") + b"\r\nZZZ\r\n"), BAD_BODY, 200, b"abc"
    ),
    "an endless chunk size line": Hostile(endless(CHUNKED, b"0" * 500), BAD_BODY, 200),
    "no line end after a chunk": Hostile(
        saying_then_waiting(CHUNKED + chunk(b"abc") + b"XX"),
        Ending(By.SERVER, How.BAD_HTTP, At.IN_CHUNK, 3, 3),
        200,
        b"abc",
    ),
    "FIN between chunks": Hostile(
        saying(CHUNKED + chunk(b"abc") + b"\r\n"), Ending(By.SERVER, How.FIN), 200, b"abc"
    ),
    "FIN inside a chunk": Hostile(
        saying(CHUNKED + chunk(b"abc", 9)), Ending(By.SERVER, How.FIN, At.IN_CHUNK, 9, 3), 200, b"abc"
    ),
    "FIN inside a chunk size": Hostile(
        saying(CHUNKED + b"1"), Ending(By.SERVER, How.FIN, At.IN_CHUNK, None, 0), 200
    ),
    "FIN before the last line": Hostile(
        saying(CHUNKED + b"0\r\n"), Ending(By.SERVER, How.FIN, At.IN_CHUNK, 0, 0), 200
    ),
    "a body until FIN": Hostile(saying(OPEN + b"abc"), COMPLETE, 200, b"abc"),
    "deep JSON": Hostile(saying(whole(b"[" * 50_000)), COMPLETE, 200, b"[" * 50_000),
    "a gzip bomb": Hostile(saying(whole(BOMB, b"content-encoding: gzip")), FLOOD, 200, None),
    "broken gzip": Hostile(saying(whole(b"no gzip", b"content-encoding: gzip")), BAD_BODY, 200),
    "cut gzip": Hostile(
        saying(whole(gzip.compress(b"abc")[:-4], b"content-encoding: gzip")), BAD_BODY, 200, b"abc"
    ),
    "gzip": Hostile(
        saying(whole(gzip.compress(b"ab") + gzip.compress(b"c"), b"content-encoding: gzip")), COMPLETE, 200, b"abc"
    ),
    "deflate": Hostile(saying(whole(zlib.compress(b"abc"), b"content-encoding: deflate")), COMPLETE, 200, b"abc"),
    "raw deflate": Hostile(
        saying(whole(zlib.compress(b"abc")[2:-4], b"content-encoding: deflate")), COMPLETE, 200, b"abc"
    ),
    "another content type": Hostile(saying(whole(b"<html>")), COMPLETE, 200, b"<html>"),
    "invalid UTF-8": Hostile(saying(whole(b'"\xff\xc3"')), COMPLETE, 200, b'"\xff\xc3"'),
    "a redirect to itself": Hostile(
        saying(b"HTTP/1.1 302 Found\r\nlocation: /v1beta/interactions/1\r\ncontent-length: 0\r\n\r\n"),
        COMPLETE,
        302,
    ),
}


@pytest.fixture
def driver() -> Iterator[Callable[[str], UrlDriver]]:
    """A factory of drivers with small limits of size, and patience; closes them afterwards."""
    made: list[UrlDriver] = []

    def make(url: str) -> UrlDriver:
        made.append(UrlDriver(url, PATIENT))
        return made[-1]

    yield make
    for one in made:
        one.close()


def place(ending: Ending) -> tuple[object, ...]:
    """An ending without its detail, and without counts that depend on how the bytes happened to arrive."""
    counted = ending.by is By.SERVER or ending.at is At.IN_BODY or ending.sent == len(HALF)
    exact = counted and not (ending.at is At.IN_HEADERS and ending.how is How.BAD_HTTP)
    at = ending.at if exact or ending.at is not At.IN_CHUNK else At.IN_BODY
    return ending.by, ending.how, at, *((ending.declared, ending.sent) if exact else (None, None))


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_target_is_an_ending(name: str) -> None:
    """Whatever a target does, the exchange ends in bounded time with the right ending."""
    handler, ending, status, body = HOSTILE[name]
    connections = []

    def send(seconds: float) -> Exchange:
        limits = replace(
            LIMITS, connect_seconds=30, head_seconds=seconds, idle_seconds=seconds, total_seconds=2 * seconds
        )
        chosen = limits if ending.how is How.TIMEOUT else PATIENT
        with RawServer(handler) as server, closing(UrlDriver(server.url, chosen)) as driver:
            began = time.monotonic()
            exchange = driver.send(GET)
            assert time.monotonic() - began < BOUND * max(1, seconds)
        connections.append(server.connections)
        return exchange

    def is_right(exchange: Exchange) -> bool:
        return (place(exchange.ending), exchange.status) == (place(ending), status) and body in (
            None,
            exchange.body,
        )

    exchange = within(send, is_right, first=1.0) if ending.how is How.TIMEOUT else send(1.0)
    assert is_right(exchange), exchange
    if exchange.ending.by is By.LIMIT:
        assert "(Limits." in exchange.ending.detail
    if name == "a redirect to itself":
        assert connections == [1]


FLOODS = ("endless body", "endless events", "a gzip bomb")


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_cut_near_its_limit(name: str, driver: Callable[[str], UrlDriver]) -> None:
    """The bytes read of a flood exceed the limit by one read at most."""
    with RawServer(HOSTILE[name][0]) as server:
        exchange = driver(server.url).send(GET)
    assert exchange.size <= max(LIMITS.body_bytes + 65536, LIMITS.decoded_bytes)


def test_a_giant_event_ends_the_stream(driver: Callable[[str], UrlDriver]) -> None:
    """A stream read as events stops at an event that never ends; the events before it are returned."""
    with RawServer(endless(OPEN + b"data: 1\n\n", b"data: " + b"x" * 500 + b"\n")) as server:
        stream = driver(server.url).open(GET)
        frames = stream.read(5)
        exchange = stream.finish()
    assert [frame.data for frame in frames] == [b"1"]
    assert (exchange.ending.by, exchange.ending.how) == (By.LIMIT, How.FIN)
    assert "Limits.event_bytes" in exchange.ending.detail


@pytest.mark.parametrize(
    ("url", "how"),
    [
        ("http://127.0.0.1:{free}", How.REFUSED),
        ("https://127.0.0.1:{free}", How.REFUSED),
        ("https://127.0.0.1:{plain}", How.TLS),
        ("http://no-such-host.invalid", How.REFUSED),
    ],
)
def test_a_target_that_is_not_there_is_an_ending(
    url: str, how: How, driver: Callable[[str], UrlDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed connection, name lookup or TLS handshake is an ending before the headers, never an exception."""
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    with RawServer(saying(b"HTTP/1.1 400 Bad\r\n\r\n"), read_request=False) as server:
        exchange = driver(url.format(free=free_port(), plain=server.port)).send(GET)
    assert (exchange.ending.how, exchange.ending.at, exchange.status) == (how, At.BEFORE_HEADERS, None)
    assert exchange.ending.detail


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "ftp://x", "http://", "http://h:99999"])
def test_a_url_that_is_none_is_a_usage_fault(url: str) -> None:
    """An invalid URL raises `UsageFault`, and the message says what to write instead."""
    with pytest.raises(UsageFault, match="http"):
        UrlDriver(url)


def keeping(count: int) -> Callable[[RawConnection], None]:
    """A handler that answers `count` requests of a connection and then silently closes it."""

    def handler(connection: RawConnection) -> None:
        connection.send(whole(b"{}"))
        for _ in range(count - 1):
            if not read_head(connection.sock):
                return
            connection.send(whole(b"{}"))

    return handler


def send_all(driver: UrlDriver, *requests: Request) -> list[Exchange]:
    """Send the requests one after the other."""
    return [driver.send(request) for request in requests]


def test_connections_are_kept_for_what_may_be_repeated(driver: Callable[[str], UrlDriver]) -> None:
    """GETs share a connection; a poll dials again, since one worker of several may have answered the last one.

    A POST and a DELETE dial their own, so that they are never sent twice, and that any worker may get them.
    """
    post, delete = Request("POST", "/x", Headers(), b"{}"), Request("DELETE", "/x", Headers())
    other = Request("GET", "/y", Headers())
    with RawServer(keeping(9)) as server:
        ours = driver(server.url)
        endings = [exchange.ending for exchange in send_all(ours, GET, other, GET)]
        assert server.connections == 1
        ours.send(GET)
        assert server.connections == 2
        ours.send(post)
        assert server.connections == 3
        send_all(ours, other, delete)
        assert server.connections == 4
    assert endings == [COMPLETE] * 3


@pytest.mark.parametrize("reads_on", [False, True])
def test_a_stale_connection_is_not_a_finding(reads_on: bool, driver: Callable[[str], UrlDriver]) -> None:
    """If the server closes a kept connection, perhaps only as a GET comes, that GET is answered on a new one."""

    def once(connection: RawConnection) -> None:
        connection.send(whole(b"{}"))
        _ = reads_on and read_head(connection.sock)

    with RawServer(once) as server:
        exchanges = send_all(driver(server.url), GET, Request("GET", "/y"), GET)
        assert ({one.ending for one in exchanges}, server.connections) == ({COMPLETE}, 3)


class _OneAtATime(AnsweringHandler):
    """Keeps each connection until its client closes it, or wants it closed."""

    wants: ClassVar[list[str | None]] = []

    def dispatch(self, data: bytes) -> dict[str, str]:
        self.wants.append(self.headers["connection"])
        return {}


def test_a_server_that_serves_one_connection_at_a_time_is_not_blocked() -> None:
    """The connection that is kept for a GET is closed before a POST opens another one."""
    _OneAtATime.wants.clear()
    post = Request("POST", "/x", Headers(), b"{}")
    with HTTPServer(("127.0.0.1", 0), _OneAtATime) as server, ExitStack() as stack:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        stack.callback(server.shutdown)
        ours = stack.enter_context(closing(UrlDriver(f"http://127.0.0.1:{server.server_port}", PATIENT)))
        assert [ours.send(request).status for request in (GET, post, GET, post)] == [200] * 4
    assert _OneAtATime.wants == [None] * 4


def test_together_notes_each_answer_as_it_comes(driver: Callable[[str], UrlDriver]) -> None:
    """Whoever is interrupted while some answers are missing knows those that came."""
    noted: list[str] = []
    seen = threading.Event()

    def handler(connection: RawConnection) -> None:
        if b"/last" in read_head(connection.sock):
            assert seen.wait(30)
        connection.send(whole(b"{}"))

    def note(exchange: Exchange) -> None:
        noted.append(exchange.request.target)
        seen.set()

    with RawServer(handler, read_request=False) as server:
        driver(server.url).together([Request("GET", "/last"), Request("GET", "/first")], note)
    assert noted == ["/first", "/last"]


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1"])
def test_an_interrupt_ends_what_is_under_way(head: bytes) -> None:
    """It comes from another thread; the driver can be used afterwards."""
    waiting, over = threading.Event(), threading.Event()

    def handler(connection: RawConnection) -> None:
        if b"/hangs" in read_head(connection.sock):
            connection.send(head)
            waiting.set()
            over.wait(20)
        else:
            connection.send(whole(b"{}"))

    with RawServer(handler, read_request=False) as server:
        client = UrlDriver(server.url)
        ended: list[Exchange] = []
        thread = threading.Thread(target=lambda: ended.append(client.send(Request("GET", "/hangs"))))
        thread.start()
        assert waiting.wait(30)
        client.interrupt()
        thread.join(30)
        after = client.send(Request("GET", "/answers"))
        over.set()
    assert [exchange.ending.by for exchange in ended] == [By.SERVER]
    client.close()
    assert after.ending == COMPLETE


def test_together_is_concurrent_and_ordered(driver: Callable[[str], UrlDriver]) -> None:
    """Requests sent together are all under way before the first is answered; responses keep their order."""
    everyone = threading.Barrier(5, timeout=30)

    def handler(connection: RawConnection) -> None:
        everyone.wait()
        connection.send(whole(b"{}"))

    requests = [Request("GET", f"/{index}") for index in range(5)]
    with RawServer(handler) as server:
        exchanges = driver(server.url).together(requests)
    assert [exchange.request for exchange in exchanges] == requests
    assert {exchange.ending for exchange in exchanges} == {COMPLETE}


def test_closing_a_stream_hangs_up(driver: Callable[[str], UrlDriver]) -> None:
    """The ending is the client's, and the server sees the connection close."""
    gone: list[bool] = []

    def handler(connection: RawConnection) -> None:
        connection.send(CHUNKED + chunk(b"data: 1\n\n") + b"\r\n")
        connection.wait_for_hangup()
        gone.append(not connection.stopping.is_set())

    with RawServer(handler) as server:
        stream = driver(server.url).open(GET)
        assert [frame.data for frame in stream.read(1)] == [b"1"]
        exchange = stream.close()
        assert (exchange.ending.by, exchange.ending.how) == (By.CLIENT, How.FIN)
        assert stream.ended
        until(lambda: bool(gone))
    assert gone == [True]


def test_closing_the_driver_hangs_up_open_streams() -> None:
    """Streams that are still open are closed with the driver."""
    with RawServer(saying_then_waiting(CHUNKED)) as server:
        driver = UrlDriver(server.url, LIMITS)
        stream = driver.open(GET)
        driver.close()
        assert stream.ended
        assert stream.close().ending.by is By.CLIENT


def test_the_request_is_what_was_asked_for(driver: Callable[[str], UrlDriver]) -> None:
    """The URL's prefix, the exact target, the caller's fields, identity coding and one correct length are sent."""
    seen: list[bytes] = []

    def handler(connection: RawConnection) -> None:
        seen.append(read_head(connection.sock))
        connection.send(whole(b"{}"))

    request = Request("POST", "/a%2Fb?x=%41&y=", Headers((("X-Key", "k"), ("content-length", "99"))), b"{}")
    with RawServer(handler, read_request=False) as server:
        url = f"{server.url}/base/"
        exchange = driver(url).send(request)
    host = f"127.0.0.1:{server.port}"
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "POST /base/a%2Fb?x=%41&y= HTTP/1.1"
    assert f"host: {host}" in lines
    assert "X-Key: k" in lines
    assert "accept-encoding: identity" in lines
    assert [line for line in lines if line.lower().startswith("content-length")] == ["content-length: 2"]
    assert exchange.request is request


def test_an_https_target_goes_through_the_proxy_of_the_environment(
    driver: Callable[[str], UrlDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CONNECT is sent with the proxy's credentials; if the proxy refuses or is gone, the ending names it."""
    seen: list[bytes] = []

    def refuse(connection: RawConnection) -> None:
        seen.append(read_head(connection.sock))
        connection.send(b"HTTP/1.1 407 Who Are You\r\n\r\n")

    with RawServer(refuse, read_request=False) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "other.invalid")
        exchange = driver("https://target.invalid").send(GET)
        monkeypatch.setenv("NO_PROXY", "target.invalid")
        direct = driver("https://target.invalid").send(GET)
        monkeypatch.setenv("HTTPS_PROXY", gone := f"http://127.0.0.1:{free_port()}")
        dead = driver("https://other.test").send(GET)
    (head,) = seen
    assert head.startswith(b"CONNECT target.invalid:443 HTTP/1.1\r\n")
    assert b"Basic bWU6cEBzcw==" in head
    assert "407" in exchange.ending.detail
    assert "target.invalid" in direct.ending.detail
    assert dead.ending.detail.startswith(f"the proxy {gone[7:]}: ")


def begin_reading(sock: socket.socket, wire: bytes = b"GET / HTTP/1.1\r\n\r\n") -> UrlReading:
    """Write a request, and read the head of its response."""
    ends, began = StreamEnds(), time.monotonic()
    return UrlReading(sock, GET, wire, limits=Limits(), ends=ends, began=began, release=lambda *_: None)


def test_another_thread_ends_a_wait_for_bytes() -> None:
    """A reader that waits for what never comes notices that it has no more time."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
        reading = begin_reading(ours)
        waits = threading.Event()

        def read() -> None:
            reading.more()
            waits.set()
            reading.more()

        thread = threading.Thread(target=read)
        thread.start()
        assert waits.wait(60)
        reading.hurry(0.0)
        thread.join(30)
        assert not thread.is_alive()
        assert reading.ended is not None
        assert (reading.ended.by, reading.ended.how) == (By.LIMIT, How.TIMEOUT)


def test_what_came_before_the_time_was_up_is_read_afterwards() -> None:
    """A reader that was busy elsewhere finds the end of a response that ended in time."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
        reading = begin_reading(ours)
        reading.more()
        theirs.sendall(b"whole")
        reading.hurry(0.0)
        assert read_whole(reading).ending.complete


class _Robbed(socket.socket):
    """Its first read finds that another one took what had come."""

    reads = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.reads += 1
        if self.reads == 1:
            raise BlockingIOError
        return super().recv(size, flags)


@pytest.mark.parametrize("size", [10, 20_000_000], ids=["small", "large"])
def test_only_a_large_request_needs_a_timeout(size: int) -> None:
    """Each wait of a socket with a timeout lets all other threads go first."""
    ours, theirs = socket.socketpair()
    with _Robbed(fileno=ours.detach()) as sock, theirs, theirs.makefile("rb") as sent:
        threading.Thread(target=lambda: sent.read(size) and theirs.sendall(whole(b"{}"))).start()
        assert read_whole(begin_reading(sock, b"x" * size)).ending.complete
        assert (sock.gettimeout() == 0) is (size == 10)
