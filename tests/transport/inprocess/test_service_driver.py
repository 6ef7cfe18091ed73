"""The in-process driver shows what a socket would show, deterministically and in logical time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from harness.outcome import HarnessFault
from harness.transport import Limits, ServerThread, ServiceDriver, UrlDriver
from harness.transport.client.stream import HURRIED_SECONDS, LINGER_SECONDS, StreamEnds
from harness.wire import (
    COMPLETE,
    TICK,
    At,
    By,
    Chunk,
    Chunked,
    Ending,
    Exchange,
    How,
    LogicalClock,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
)
from tests.busy_machine import within
from tests.in_one_test import in_one_test
from tests.transport.endings_table import ALL
from tests.transport.peers import EVENTS, Serving

GET = Request("GET", "/x")


def event(number: int) -> Chunk:
    """One server-sent event."""
    return Chunk(b"data: %d\n\n" % number)


@in_one_test(name=ALL)
def test_an_ending_is_what_a_client_sees(name: str) -> None:
    """Every ending of the table is recorded as the table says, and the body is closed once."""
    case = ALL[name]
    service = Serving(*case.pieces, framing=case.framing)
    exchange = ServiceDriver(service).send(GET)
    assert replace(exchange.ending, detail="") == case.ending
    assert exchange.body == case.body
    assert service.bodies[0].closings == 1


@in_one_test(name=ALL)
def test_the_socket_shows_the_same(name: str) -> None:
    """A real server and the URL driver give the same exchange as the in-process driver."""
    case = ALL[name]

    def send(seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
        limits = Limits(head_seconds=seconds, idle_seconds=seconds)
        here = ServiceDriver(Serving(*case.pieces, framing=case.framing), limits=limits).send(GET)
        with ServerThread(Serving(*case.pieces, framing=case.framing)) as server:
            driver = UrlDriver(server.url, limits)
            there = driver.send(GET)
            driver.close()
        return facts_of(here), facts_of(there)

    here, there = within(send, lambda seen: seen[0] == seen[1], first=0.1)
    assert there == here


def facts_of(exchange: Exchange) -> dict[str, Any]:
    """What is the same however an exchange is carried."""
    names = ("status", "headers", "framing", "body", "size", "sha256", "truncated")
    return {"ending": replace(exchange.ending, detail=""), **{name: getattr(exchange, name) for name in names}}


def test_pauses_pass_in_logical_time() -> None:
    """A pause of an hour takes no real time, but counts in the clock and the record."""
    clock = LogicalClock()
    limits = Limits(idle_seconds=4000, total_seconds=10_000)
    exchange = ServiceDriver(Serving(Pause(3600), event(1)), clock, limits=limits).send(GET)
    assert (clock.now, exchange.seconds, exchange.complete) == (3600, 3600, True)
    assert list(exchange.arrivals.moments) == [3600]


def test_reading_is_lazy_and_lossless() -> None:
    """`read` pulls no further than it needs and keeps surplus frames; `finish` records the whole body."""
    service = Serving(Chunk(b"data: 1\n\ndata: 2\n\nda"), Chunk(b"ta: 3\n\n"), Pause(1), event(4))
    clock = LogicalClock()
    stream = ServiceDriver(service, clock).open(GET)
    assert [frame.data for frame in stream.read(1)] == [b"1"]
    assert (service.bodies[0].pulled, clock.now, stream.ended) == (1, 0, False)
    assert [frame.data for frame in stream.read(2)] == [b"2", b"3"]
    assert [frame.data for frame in stream.read(9)] == [b"4"]
    assert stream.ended
    exchange = stream.finish()
    assert (exchange.body, exchange.ending) == (b"data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n", COMPLETE)


@pytest.mark.parametrize("events", [0, 1])
def test_closing_a_stream_reaches_the_service_once(events: int) -> None:
    """Closing a stream closes the body once, also before the first piece; closing again changes nothing."""
    service = Serving(event(1), Pause(1), event(2))
    driver = ServiceDriver(service)
    stream = driver.open(GET)
    stream.read(events)
    exchange = stream.close()
    stream.close()
    driver.close()
    assert (exchange.ending.by, exchange.ending.how) == (By.CLIENT, How.FIN)
    assert service.bodies[0].closings == 1


def test_closing_the_driver_closes_open_streams() -> None:
    """A stream left open is hung up; one that had ended keeps its ending."""
    service = Serving(event(1))
    driver = ServiceDriver(service)
    whole, forgotten = driver.open(GET), driver.open(GET)
    whole.finish()
    driver.close()
    assert [body.closings for body in service.bodies] == [1, 1]
    assert whole.close().ending == COMPLETE
    assert forgotten.close().ending.by is By.CLIENT


def for_ever(piece: Piece) -> Iterator[Piece]:
    """The same piece again and again."""
    while True:
        yield piece


ENDLESS = {
    "short pauses": (Pause(0), Limits(pauses=50), "pauses", How.TIMEOUT),
    "empty chunks": (Chunk(b""), Limits(pauses=50), "pauses", How.TIMEOUT),
    "silence": (Pause(1), Limits(idle_seconds=10), "idle_seconds", How.TIMEOUT),
    "one long pause": (Pause(1e9), Limits(idle_seconds=10), "idle_seconds", How.TIMEOUT),
    "bytes": (Chunk(b"x" * 100), Limits(body_bytes=1000), "body_bytes", How.FIN),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_body_meets_a_limit(name: str) -> None:
    """No endless body hangs or floods the driver, though no real time passes; the ending names the limit."""
    piece, limits, field, how = ENDLESS[name]
    driver = ServiceDriver(
        lambda request: Response(200, EVENTS, Chunked(), PieceBody(for_ever(piece))), limits=limits
    )
    ending = driver.send(GET).ending
    assert (ending.by, ending.how, ending.at) == (By.LIMIT, how, At.IN_BODY)
    assert f"Limits.{field}" in ending.detail


def test_a_slow_drip_meets_the_total() -> None:
    """A body that is never idle still ends in time; `timeout` overrides the limit for one exchange."""

    def drip() -> Iterator[Piece]:
        while True:
            yield Pause(1)
            yield Chunk(b"x")

    clock = LogicalClock()
    driver = ServiceDriver(lambda request: Response(200, EVENTS, Chunked(), PieceBody(drip())), clock)
    ending = driver.send(GET, timeout=10.5).ending
    assert (ending.by, ending.how) == (By.LIMIT, How.TIMEOUT)
    assert ending.detail == "nothing came in time (10.5 s for the whole request)"
    assert clock.now == 10.5


def test_a_stall_costs_the_patience_of_the_client() -> None:
    """A stall moves the clock by the idle limit, as it would for a real client."""
    clock = LogicalClock()
    ServiceDriver(Serving(event(1), Ending(how=How.STALL)), clock, limits=Limits(idle_seconds=7)).send(GET)
    assert clock.now == 7


def ends_with(payload: Mapping[str, object]) -> bool | None:
    """What an API might say of its events: a `number` goes on, an `end` is one, anything else says nothing."""
    return True if "end" in payload else False if "number" in payload else None


END, NUMBER, PING, DONE = (
    Chunk(b"data: " + data + b"\n\n") for data in (b'{"end": 1}', b'{"number": 1}', b"{}", b"[DONE]")
)
OPEN_ENDS = {
    "at once": ((event(1), Chunk(b"data: [DONE]\n\n")), By.CLIENT),
    "in pieces": ((event(1), Chunk(b"event: done\r\ndata: [DO"), Chunk(b"NE]\r\n\r"), Chunk(b"\n")), By.CLIENT),
    "without a space": ((Chunk(b"data:[DONE]\n\n"),), By.CLIENT),
    "not at all": ((event(1),), By.LIMIT),
    "without its blank line": ((event(1), Chunk(b"data: [DONE]\n")), By.LIMIT),
    "in a text": ((Chunk(b'data: {"text": "data: [DONE]"}\n\n'),), By.LIMIT),
    "before another event": ((Chunk(b"data: [DONE]\n\n"), event(2)), By.LIMIT),
    "by name": ((END,), By.CLIENT),
    "by name, before it went on": ((END, NUMBER), By.LIMIT),
    "by name, before what says nothing": ((END, PING, Chunk(b": alive\n\n")), By.CLIENT),
}


@pytest.mark.parametrize("name", OPEN_ENDS)
def test_after_its_last_event_nobody_waits_long_for_a_stream_to_end(name: str) -> None:
    """A stream that stays open after its last event is left by the client, in logical time and over a socket."""
    chunks, by = OPEN_ENDS[name]
    pieces = (*chunks, Ending(how=How.STALL))
    how = How.STALL if by is By.CLIENT else How.TIMEOUT
    clock = LogicalClock()
    ends, limits = StreamEnds(b"[DONE]", ends_with), Limits(idle_seconds=50)
    here = ServiceDriver(Serving(*pieces), clock, limits=limits, ends=ends).send(GET)
    assert (here.ending.by, here.ending.how) == (by, how)
    waited = Limits().closing_seconds if END in chunks else LINGER_SECONDS
    assert clock.now == (waited if by is By.CLIENT else 50)

    def send(seconds: float) -> tuple[By, How, bytes]:
        limits = Limits(head_seconds=seconds, idle_seconds=seconds)
        with ServerThread(Serving(*pieces)) as server:
            driver = UrlDriver(server.url, limits, ends=StreamEnds(b"[DONE]", ends_with))
            there = driver.send(GET)
            driver.close()
        return there.ending.by, there.ending.how, there.body

    expected = (by, how, here.body)
    assert within(send, expected.__eq__, first=0.1) == expected


def read_open(*pieces: Piece, ends: StreamEnds, method: str = "GET") -> tuple[Exchange, float]:
    """What a client saw of a service with these pieces, and the seconds that it took."""
    clock = LogicalClock()
    driver = ServiceDriver(Serving(*pieces), clock, limits=Limits(idle_seconds=50), ends=ends)
    return driver.send(Request(method, "/")), clock.now


def test_signs_of_life_do_not_hold_a_stream_that_is_over() -> None:
    """Comments and events that say nothing of the run come for ever; the client leaves at its time."""
    beats = [piece for _ in range(100) for piece in (Pause(0.25), Chunk(b": alive\n\n"), PING)]
    exchange, seconds = read_open(END, *beats, Ending(how=How.STALL), ends=StreamEnds(ends=ends_with))
    assert exchange.ending.how is How.STALL
    assert seconds == Limits().closing_seconds


@pytest.mark.parametrize("last", [END, DONE])
def test_a_stream_that_ends_late_has_ended(last: Chunk) -> None:
    """An end, or the sentinel, that comes a moment after the last event is in time."""
    exchange, _ = read_open(END, Pause(2), last, Pause(0.9), ends=StreamEnds(b"[DONE]", ends_with))
    assert exchange.complete


def test_once_a_stream_stayed_open_the_next_one_is_left_soon() -> None:
    """What one stream taught holds for those with the same method, and says so; others get the whole time."""
    ends = StreamEnds(ends=ends_with)
    stall = Ending(how=How.STALL)
    first, whole = read_open(END, stall, ends=ends)
    second, hurried = read_open(END, stall, ends=ends)
    third, other = read_open(END, stall, ends=ends, method="POST")
    assert (whole, hurried, other) == (3.0, HURRIED_SECONDS, 3.0)
    assert {one.ending.detail for one in (first, second, third)} == {
        "streams stay open for at least 3.0 s after their last event"
    }


def test_the_end_of_the_whole_time_is_no_stream_that_stays_open() -> None:
    """If the time of the exchange is up soon after the last event, nobody knows whether an end would have come."""
    driver = ServiceDriver(Serving(Pause(0.8), END, Ending(how=How.STALL)), ends=StreamEnds(ends=ends_with))
    assert driver.send(GET, timeout=1.0).ending.by is By.LIMIT


def test_together_interleaves_by_wake_up_time() -> None:
    """All requests arrive before any body is read; bodies pause side by side; the order is the same every time."""
    log: list[tuple[str, float]] = []
    clock = LogicalClock()
    pauses = {"/a": (3.0, 1.5), "/b": (1.0, 1.25), "/c": (2.0, 2.25)}

    def service(request: Request) -> Response:
        clock.tick()
        log.append((request.target, 0))
        return Response(200, EVENTS, Chunked(), PieceBody(body(request.target)))

    def body(target: str) -> Iterator[Piece]:
        for seconds in pauses[target]:
            yield Pause(seconds)
            log.append((target, round(clock.now - 3 * TICK, 9)))
        yield COMPLETE

    requests = [Request("GET", target) for target in pauses]
    exchanges = ServiceDriver(service, clock).together(requests)
    assert [exchange.request for exchange in exchanges] == requests
    assert log[:3] == [("/a", 0), ("/b", 0), ("/c", 0)]
    assert log[3:] == [("/b", 1), ("/c", 2), ("/b", 2.25), ("/a", 3), ("/c", 4.25), ("/a", 4.5)]
    assert clock.now == pytest.approx(4.5 + 3 * TICK)


def raising() -> Iterator[Piece]:
    """A body that fails after its first piece."""
    yield Chunk(b"a")
    raise ValueError("oops")


def test_a_body_that_raises_is_our_fault_and_is_closed() -> None:
    """A body that raises is a `HarnessFault`, not a finding about the target; the other bodies are closed too."""
    made: list[Serving] = []

    def service(request: Request) -> Response:
        if request.target == "/bad":
            return Response(200, EVENTS, Chunked(), PieceBody(raising()))
        made.append(Serving(event(1), Pause(9)))
        return made[-1](request)

    driver = ServiceDriver(service)
    with pytest.raises(HarnessFault, match="oops"):
        driver.send(Request("GET", "/bad"))
    with pytest.raises(HarnessFault, match="oops"):
        driver.together([Request("GET", "/good"), Request("GET", "/bad")])
    assert [serving.bodies[0].closings for serving in made] == [1]


def test_a_service_that_raises_is_our_fault() -> None:
    """A service that raises is a `HarnessFault`, which names the request."""

    def service(request: Request) -> Response:
        raise KeyError("oops")

    with pytest.raises(HarnessFault, match="GET /x"):
        ServiceDriver(service).send(GET)
