"""Over a real socket and in-process alike, a fault plan does exactly what it says, to the byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from msgspec.structs import replace

from harness.contract import PROTOCOL
from harness.faults import Connection, Cut, Drop, Place, Plan, cut, every_byte, parse, structural
from harness.transport import Limits, ServerThread, ServiceDriver, UrlDriver
from harness.wire import COMPLETE, At, By, Driver, Ending, How, Service
from tests.busy_machine import within
from tests.faults.streams import BODY, CREATE, STREAM, Live, after, cursors, payloads, resume
from tests.transport.peers import get, raw_exchange

LIMITS = Limits()


@contextmanager
def in_process(service: Service, limits: Limits = LIMITS) -> Iterator[Driver]:
    """A driver without a socket."""
    driver = ServiceDriver(service, limits=limits)
    yield driver
    driver.close()


@contextmanager
def on_a_socket(service: Service, limits: Limits = LIMITS) -> Iterator[Driver]:
    """A driver over loopback."""
    with ServerThread(service) as server:
        driver = UrlDriver(server.url, limits)
        yield driver
        driver.close()
        assert server.errors == []


Carrier = Callable[..., AbstractContextManager[Driver]]
carriers = pytest.mark.parametrize("carried", [in_process, on_a_socket])
SMALL = (*STREAM[:2], STREAM[5])
SMALL_BODY = b"".join(SMALL)


def each(places: Iterator[Place], drop: Drop) -> Plan:
    """A plan with one connection for each place, cut there."""
    return Plan(tuple(Connection((Cut(place, drop),)) for place in places))


@carriers
@pytest.mark.parametrize("drop", [Drop.FIN, Drop.RST, Drop.END])
def test_n_means_n(carried: Carrier, drop: Drop) -> None:
    """For every N, a cut at byte N delivers exactly N bytes and ends the connection as planned."""
    how = {Drop.FIN: How.FIN, Drop.RST: How.RST, Drop.END: How.COMPLETE}[drop]
    with carried(cut(Live(SMALL), each(every_byte(SMALL_BODY), drop), PROTOCOL)) as driver:
        for number in range(len(SMALL_BODY) + 1):
            exchange = driver.send(CREATE)
            assert exchange.body == SMALL_BODY[:number]
            assert (exchange.ending.how, exchange.ending.by) == (how, By.SERVER)


def server(how: How, at: At = At.IN_BODY, declared: int | None = None, sent: int | None = None) -> Ending:
    """An ending caused by the server."""
    return Ending(By.SERVER, how, at, declared, sent)


def timeout(at: At = At.IN_BODY, declared: int | None = None, sent: int | None = None) -> Ending:
    """The ending that a client records for a stalled response."""
    return Ending(By.LIMIT, How.TIMEOUT, at, declared, sent)


SIZE = len(STREAM[1])
SEEN = {
    "event:1,fin": (after(1), server(How.FIN)),
    "event:1,rst": (after(1), server(How.RST)),
    "event:1,stall": (after(1), timeout()),
    "event:1,end": (after(1), COMPLETE),
    "event:1,bad-chunk": (after(1), server(How.BAD_HTTP)),
    "event:1,short-length": (after(1), server(How.FIN, declared=2**30, sent=after(1))),
    "event:1+9,fin": (after(1) + 9, server(How.FIN, At.IN_CHUNK, SIZE, 9)),
    "event:1+9,rst": (after(1) + 9, server(How.RST, At.IN_CHUNK, SIZE, 9)),
    "event:1+9,stall": (after(1) + 9, timeout(At.IN_CHUNK, SIZE, 9)),
    "event:1+9,end": (after(1) + 9, COMPLETE),
    "event:1+9,bad-chunk": (after(1) + 9, server(How.BAD_HTTP)),
    "event:1+9,short-length": (after(1) + 9, server(How.FIN, declared=2**30, sent=after(1) + 9)),
    "event:99,short-length": (len(BODY), server(How.FIN, declared=2**30, sent=len(BODY))),
    "event:0,rst": (0, server(How.RST)),
    "completion,end": (after(4), COMPLETE),
    "completion,rst": (after(4), server(How.RST)),
    "event:99,rst": (len(BODY), COMPLETE),
    "before-headers,fin": (0, server(How.FIN, At.BEFORE_HEADERS)),
    "before-headers,rst": (0, server(How.RST, At.BEFORE_HEADERS)),
    "before-headers,stall": (0, timeout(At.BEFORE_HEADERS)),
    "before-headers,bad-head": (0, server(How.BAD_HTTP, At.BEFORE_HEADERS)),
    "headers:20,fin": (0, server(How.FIN, At.IN_HEADERS, None, 20)),
    "headers:20,rst": (0, server(How.RST, At.IN_HEADERS, None, 20)),
    "headers:20,stall": (0, timeout(At.IN_HEADERS, None, 20)),
}


@carriers
@pytest.mark.parametrize("plan", SEEN)
def test_what_a_client_sees(carried: Carrier, plan: str) -> None:
    """Each kind of ending at each kind of place is seen as the table in docs/faults.md says."""
    size, ending = SEEN[plan]

    def send(seconds: float) -> tuple[bytes, Ending]:
        limits = Limits(head_seconds=seconds, idle_seconds=seconds) if "stall" in plan else LIMITS
        with carried(cut(Live(), plan, PROTOCOL), limits) as driver:
            exchange = driver.send(CREATE)
        return exchange.body, replace(exchange.ending, detail="")

    expected = (BODY[:size], ending)
    assert within(send, expected.__eq__, first=0.3) == expected


def test_a_torn_chunk_is_torn_on_the_wire() -> None:
    """A torn chunk declares the size of the whole event, as when a server dies while writing it."""
    head = b"\r\n\r\n%x\r\n" % len(STREAM[0])
    with ServerThread(cut(Live(), "event:0+9,rst", PROTOCOL)) as server:
        wire, closing = raw_exchange(server.port, get("/v1beta/interactions/int_1?stream=true"))
    assert closing == "rst"
    assert wire.endswith(head + STREAM[0][:9])


def read_on(driver: Driver, attempts: int = 9) -> list[bytes]:
    """The events that a correct client ends up with: complete ones, resumed after the last cursor, each once."""
    events: list[bytes] = []
    cursor: str | None = None
    request = CREATE
    for _ in range(attempts):
        body = driver.send(request).body
        keep = max((number for number, found in enumerate(cursors(body), 1) if found), default=0)
        if payloads(body)[-1:] == [b"[DONE]"]:
            return events + payloads(body)
        events += payloads(body)[:keep]
        cursor = [found for found in cursors(body) if found][-1] if keep else cursor
        request = resume(cursor)
    raise AssertionError("gave up")


@pytest.mark.parametrize("drop", [Drop.FIN, Drop.RST, Drop.END, Drop.STALL, Drop.BAD_CHUNK, Drop.SHORT_LENGTH])
def test_every_structural_cut_can_be_resumed(drop: Drop) -> None:
    """At every structural cut, prefix and resumed rest make the whole stream, even if the resume is cut."""
    for place in structural(BODY):
        plan = Plan((Connection((Cut(place, drop),)), Connection(parse("event:1+9,fin").faults(0))))
        with in_process(cut(Live(), plan, PROTOCOL)) as driver:
            assert read_on(driver) == payloads(BODY)


NOISE = ["ping:all", "crlf", "chunks:1", "late:0.001", "pass", "ping:2,crlf,chunks:7"]


@carriers
@pytest.mark.parametrize("plan", NOISE)
def test_legal_noise_changes_no_event(carried: Carrier, plan: str) -> None:
    """Comments, other line endings, small chunks and delays do not change the events a client reads."""
    with carried(cut(Live(), plan, PROTOCOL)) as driver:
        exchange = driver.send(CREATE)
    assert exchange.complete
    assert payloads(exchange.body) == payloads(BODY)
