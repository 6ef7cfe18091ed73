"""A recorded stream, dropped at every byte, resumed and put together: nothing lost, nothing twice.

HARNESS_SWEEP=all cuts at every byte on the socket, too; else there the places are structural.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import pytest

from harness.cassette import Player, Recording
from harness.checks.oracle import Rest, compare
from harness.contract import PROTOCOL
from harness.contract.json_read import loads
from harness.emulator import Emulator, Settings
from harness.faults import Connection, Cut, Drop, Place, Plan, Spot, cut, every_byte, structural
from harness.transport import ServerThread, ServiceDriver, UrlDriver
from harness.wire import Decoder, Driver, Exchange, Headers, How, Request, Service

BYTES = 10_000
DELTAS = {"all": 52, "sparse": 66}
"""How many make a stream of that size."""
TEXT = "Déjà vu in 東京 🦊, told in pieces that belong together. "
HEADERS = Headers((("x-goog-api-key", "key"), ("content-type", "application/json")))
CREATE = Request(
    "POST",
    "/v1beta/interactions",
    HEADERS,
    b'{"model":"gemini-3.5-flash","input":"hi","stream":true,"background":true}',
)
ON_SOCKET = every_byte if os.environ.get("HARNESS_SWEEP") == "all" else structural
Event = dict[str, Any]
Carrier = Callable[[Service], AbstractContextManager[Driver]]


@cache
def recorded(event_ids: str) -> Recording:
    """A stream of the emulator, 10 kB of it."""
    emulator = Emulator(Settings(event_ids=event_ids))
    emulator.script({"text": TEXT * 30, "deltas": DELTAS[event_ids]})
    recording = Recording.of(ServiceDriver(emulator).send(CREATE))
    assert BYTES <= len(recording.body) < 1.1 * BYTES
    return recording


def events(body: bytes) -> list[Event]:
    """The whole events that a client has, without the sentinel."""
    return [loads(frame.data).value for frame in Decoder().feed(body) if frame.data != PROTOCOL.sentinel]


@contextmanager
def on_a_socket(service: Service) -> Iterator[Driver]:
    """Over loopback, a connection a request."""
    with ServerThread(service) as server:
        driver = UrlDriver(server.url)
        driver.close()  # keeps none: on those kernels acknowledge 40 ms late, and an exact reset waits for it
        yield driver
        assert server.errors == []


def in_process(service: Service) -> AbstractContextManager[Driver]:
    """Without a socket."""
    return nullcontext(ServiceDriver(service))


class Oracle:
    """prefix(cursor) + resumed(cursor) is the whole stream, whatever came between."""

    def __init__(self, recording: Recording) -> None:
        self._whole = events(recording.body)
        self._identity = next(found for event in self._whole if (found := PROTOCOL.stream_id(event)))
        self._right: set[tuple[int, bytes]] = set()

    def first(self) -> Request:
        """The request for the whole stream."""
        return PROTOCOL.resume(CREATE, self._identity, None)

    def resume(self, received: bytes) -> tuple[int, Request]:
        """The number of the event that a client goes on from, -1 for none, and what it asks for."""
        had = events(received)
        assert had == self._whole[: len(had)]
        at = max((number for number, event in enumerate(had) if PROTOCOL.cursor(event)), default=-1)
        cursor = PROTOCOL.cursor(had[at]) if at >= 0 else None
        return at, PROTOCOL.resume(CREATE, self._identity, cursor)

    def is_whole(self, at: int, rest: Exchange) -> bool:
        """Whether a resume after event `at` brought exactly what followed; the same answer is judged once."""
        key = (at, rest.body)
        if key not in self._right and compare(self._whole, at, events(rest.body)) == Rest():
            self._right.add(key)
        return rest.complete and key in self._right


def sweep(carried: Carrier, recording: Recording, places: Iterable[Place], drop: Drop) -> None:
    """Cut at each place, resume, put together."""
    oracle, listed = Oracle(recording), list(places)
    plan = Plan(tuple(c for place in listed for c in (Connection((Cut(place, drop),)), Connection())))
    with carried(cut(Player([recording], PROTOCOL, mode="resume"), plan, PROTOCOL)) as driver:
        for place in listed:
            first = driver.send(oracle.first())
            assert first.ending.how == How(drop.value), place
            assert recording.body.startswith(first.body), place
            assert place.spot is not Spot.BYTE or len(first.body) == place.at, place
            at, request = oracle.resume(first.body)
            assert oracle.is_whole(at, driver.send(request)), place


@pytest.mark.parametrize("drop", [Drop.FIN, Drop.RST])
def test_every_byte(drop: Drop) -> None:
    """In-process, 10 kB: at every byte the prefix and the resumed rest are the whole stream."""
    sweep(in_process, recorded("all"), every_byte(recorded("all").body), drop)


@pytest.mark.parametrize("drop", [Drop.FIN, Drop.RST])
def test_sparse_ids(drop: Drop) -> None:
    """Where few events have an id, those after the last one come again, and are not doubled."""
    sweep(in_process, recorded("sparse"), structural(recorded("sparse").body), drop)


@pytest.mark.parametrize("drop", [Drop.FIN, Drop.RST])
def test_on_a_socket(drop: Drop) -> None:
    """The same over loopback, where a reset is exact to the byte as well."""
    sweep(on_a_socket, recorded("all"), ON_SOCKET(recorded("all").body), drop)


def test_a_wrong_rest_is_noticed() -> None:
    """The sweep can fail: a player whose resume repeats the boundary event does not pass."""

    def inclusive(service: Service) -> AbstractContextManager[Driver]:
        return in_process(cut(service, "resumes=pass/inclusive,times:all", PROTOCOL))

    with pytest.raises(AssertionError, match="at=9"):
        sweep(inclusive, recorded("all"), [Place(Spot.EVENT, 9)], Drop.RST)
