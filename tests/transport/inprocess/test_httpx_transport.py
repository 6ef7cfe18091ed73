"""The httpx and httpx2 transports give the bytes and the exceptions that a socket would give."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.transport import Limits, ServerThread, transport
from harness.transport.inprocess import httpx_transport
from harness.wire import (
    COMPLETE,
    At,
    Chunk,
    Chunked,
    Ending,
    Headers,
    How,
    LogicalClock,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
)
from tests.transport.endings_table import ALL, TIMED_OUT, Case
from tests.transport.peers import EVENTS, Serving, echo

LIBRARIES = ("httpx", "httpx2")
URL = "http://service.invalid/x"
Seen = tuple[bytes, str | None]


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    """httpx and httpx2 in turn; a library that is not installed is skipped."""
    return pytest.importorskip(request.param)


def read_sync(library: Any, url: str, carrier: Any, timeout: float = 0.15) -> Seen:
    """The bytes a sync client gets before the end, and the name of the exception that ended them."""
    body = b""
    with library.Client(transport=carrier, timeout=timeout, trust_env=False) as client:
        try:
            with client.stream("GET", url) as response:
                for data in response.iter_raw():
                    body += data
        except library.TransportError as error:
            return body, type(error).__name__
    return body, None


def read_async(library: Any, url: str, carrier: Any, timeout: float = 0.15) -> Seen:
    """The same for an async client."""

    async def main() -> Seen:
        body = b""
        async with library.AsyncClient(transport=carrier, timeout=timeout, trust_env=False) as client:
            try:
                async with client.stream("GET", url) as response:
                    async for data in response.aiter_raw():
                        body += data
            except library.TransportError as error:
                return body, type(error).__name__
        return body, None

    return asyncio.run(main())


READERS: dict[str, Callable[..., Seen]] = {"sync": read_sync, "async": read_async}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("kind", "library"),
    [
        ("sync", "httpx"),
        ("async", "httpx2"),
        *(pytest.param(*other, marks=pytest.mark.thorough) for other in (("sync", "httpx2"), ("async", "httpx"))),
    ],
    indirect=["library"],
)
def test_an_ending_is_the_librarys_own_exception(kind: str, name: str, library: Any) -> None:
    """Bytes and exception are those of the table, in-process and over a socket; the body is closed once."""
    case = ALL[name]
    read = READERS[kind]
    service = Serving(*case.pieces, framing=case.framing)
    assert read(library, URL, transport(service)) == (case.body, case.error)
    assert service.bodies[0].closings == 1
    assert over_a_socket(read, library, case) == (case.body, case.error)


def over_a_socket(read: Callable[..., Seen], library: Any, case: Case) -> Seen:
    """The same case from a real server.

    Only a stall needs a client whose patience ends. On a busy machine it may end before the bytes arrive, which
    shows nothing about them: then a client with more of it reads again.
    """
    seen: Seen = (b"", None)
    for patience in (0.15, 2, 20) if case.error == TIMED_OUT else (60,):
        with ServerThread(Serving(*case.pieces, framing=case.framing)) as server:
            seen = read(library, server.url, None, patience)
        if len(seen[0]) >= len(case.body) and "Connect" not in str(seen[1]):
            break
    return seen


@pytest.mark.parametrize("how", [How.REFUSED, How.TLS])
@pytest.mark.parametrize("kind", READERS)
def test_no_connection_is_a_connect_error(kind: str, how: How, library: Any) -> None:
    """A refused connection or failed handshake, which the socket server cannot produce, is a `ConnectError`."""
    read = READERS[kind]
    dead = transport(lambda request: Response.dead(Ending(how=how, at=At.BEFORE_HEADERS)))
    assert read(library, URL, dead) == (b"", "ConnectError")


def test_the_request_arrives_as_it_would(library: Any) -> None:
    """The service gets the method, the target with its escapes, the fields and the body."""
    seen: list[Request] = []

    def service(request: Request) -> Response:
        seen.append(request)
        return echo(request)

    with library.Client(transport=transport(service)) as client:
        response = client.post("http://h/a%2Fb?x=%41", content=b"body", headers={"X-Key": "k"})
    assert (response.status_code, response.text) == (200, "POST /a%2Fb?x=%41 body")
    assert response.headers["content-length"] == str(len(response.content))
    assert seen[0].headers.get("x-key") == "k"


@pytest.mark.parametrize(
    "pieces", [(Chunk(b"ab"), Ending(how=How.STALL)), (Ending(how=How.STALL, at=At.BEFORE_HEADERS),)]
)
@pytest.mark.parametrize("kind", READERS)
def test_a_stall_costs_the_patience_of_the_client(kind: str, pieces: tuple[Piece, ...], library: Any) -> None:
    """A stall moves the clock by the read timeout, as in the driver and as over a socket."""
    read = READERS[kind]
    clock = LogicalClock()
    assert read(library, URL, transport(Serving(*pieces), clock), 7.0)[1] == "ReadTimeout"
    assert clock.now == 7.0


@pytest.mark.parametrize("value", ["caf\u00e9", "\u6771\u4eac"])
def test_a_header_arrives_as_it_does_over_a_socket(value: str, library: Any) -> None:
    """A header value is sent as Latin-1 if that can hold it, else as UTF-8."""

    def service(request: Request) -> Response:
        return Response.whole(200, Headers((("x-latin", "\u00fc"), ("x-city", value))), b"")

    with ServerThread(service) as server, library.Client(trust_env=False) as client:
        over_socket = client.get(server.url).headers.raw
    with library.Client(transport=transport(service)) as client:
        assert client.get(URL).headers.raw[:2] == over_socket[:2]


@pytest.mark.parametrize("kind", READERS)
def test_a_pause_moves_the_clock_and_nothing_sleeps(kind: str, library: Any) -> None:
    """A pause within the read timeout only delays bytes on the clock; a longer one is a read timeout."""
    read = READERS[kind]
    clock = LogicalClock()
    carrier = transport(Serving(Chunk(b"a"), Pause(50), Chunk(b"b")), clock)
    assert read(library, URL, carrier, 60) == (b"ab", None)
    assert clock.now == 50
    assert read(library, URL, carrier, 40) == (b"a", "ReadTimeout")
    assert clock.now == 90


@pytest.mark.parametrize("kind", READERS)
def test_endless_pauses_are_a_read_timeout(kind: str, library: Any) -> None:
    """An endless series of pauses does not hang a client that has no timeout of its own."""

    def service(request: Request) -> Response:
        return Response(200, EVENTS, Chunked(), PieceBody(iter(lambda: Pause(0), None)))

    read = READERS[kind]
    assert read(library, URL, transport(service, limits=Limits(pauses=30)), None) == (b"", "ReadTimeout")


@pytest.mark.parametrize("kind", READERS)
def test_a_client_that_leaves_closes_the_body_once(kind: str, library: Any) -> None:
    """A client that leaves before or after the first byte closes the body once."""
    service = Serving(Chunk(b"a"), Chunk(b"b"))
    if kind == "sync":
        leave_sync(library, transport(service))
    else:
        asyncio.run(leave_async(library, transport(service)))
    assert [body.closings for body in service.bodies] == [1, 1]


def leave_sync(library: Any, carrier: Any) -> None:
    """Open two streams; read nothing from the first, one chunk from the second."""
    with library.Client(transport=carrier) as client:
        with client.stream("GET", URL):
            pass
        with client.stream("GET", URL) as response:
            assert next(response.iter_raw()) == b"a"


async def leave_async(library: Any, carrier: Any) -> None:
    """The same, async."""
    async with library.AsyncClient(transport=carrier) as client:
        async with client.stream("GET", URL):
            pass
        async with client.stream("GET", URL) as response:
            assert await anext(response.aiter_raw()) == b"a"


def test_closing_twice_reaches_the_service_once(library: Any) -> None:
    """Closing the raw stream again does nothing."""
    service = Serving(Chunk(b"a"))
    response = transport(service).handle_request(library.Request("GET", URL))
    response.stream.close()
    response.stream.close()
    assert service.bodies[0].closings == 1


def test_async_readers_wait_side_by_side() -> None:
    """Two streams that pause together move the clock once, and another task can release a paused one."""
    httpx = importlib.import_module("httpx")
    clock, free = LogicalClock(), asyncio.Event()

    def held() -> Iterator[Piece]:
        yield Pause(1)
        while not free.is_set():
            yield Pause(0.001)
        yield Chunk(b"free")
        yield Ending()

    def service(request: Request) -> Response:
        if request.target == "/release":
            free.set()
            return echo(request)
        return Response(200, EVENTS, Chunked(), PieceBody(held()))

    async def main() -> list[str]:
        async with httpx.AsyncClient(transport=transport(service, clock), timeout=5) as client:
            paths = ("/1", "/2", "/release")
            answers = await asyncio.gather(*(client.get(f"http://h{path}") for path in paths))
            return [answer.text for answer in answers]

    assert asyncio.run(main())[:2] == ["free", "free"]
    assert clock.now < 1.5


@pytest.mark.parametrize(
    ("pieces", "threads", "times"),
    [
        ([Pause(1), Chunk(b"a"), Pause(1), Chunk(b"b")], [], 0),
        ([Pause(1), Chunk(b"a"), Pause(1), Chunk(b"b")], ["harness-server"], 0),
        ([Pause(1), Chunk(b"a"), Pause(1), Chunk(b"b")], ["reader"], 2),
        ([Pause(1), Pause(1), Pause(1), Chunk(b"a")], [], 2),
    ],
    ids=["alone", "beside a server", "beside a thread", "in a silence that goes on"],
)
def test_a_pause_lets_other_threads_run(library, monkeypatch, pieces, threads, times) -> None:
    """They may end what the service waits for. Where a client has one thread, a pause takes no time."""
    slept, done = list[float](), threading.Event()
    monkeypatch.setattr(httpx_transport.time, "sleep", slept.append)
    others = [threading.Thread(target=done.wait, name=name) for name in threads]
    for thread in others:
        thread.start()
    try:
        body, error = read_sync(library, URL, transport(Serving(*pieces, COMPLETE)), timeout=60)
    finally:
        done.set()
        for thread in others:
            thread.join()
    assert (body, error, slept) == (
        b"".join(one.data for one in pieces if isinstance(one, Chunk)),
        None,
        [0] * times,
    )
