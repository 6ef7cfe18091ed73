"""A recorded stream dropped at any byte and resumed is complete: nothing is lost and nothing repeated."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from harness.cassette import Player, Recording
from harness.contract import PROTOCOL, load
from harness.contract.transcript import EventDiff, compare
from harness.emulator import Emulator, Settings
from harness.faults import Connection, Cut, Drop, Place, Plan, Spot, cut, every_byte, structural
from harness.transport import ServiceDriver
from harness.wire import Decoder, Exchange, Headers, How, Request
from harness.wire.bodies import loads

BYTES = 10_000
DELTAS = {"all": 46, "sparse": 56}
"""The number of deltas that make a stream of that size."""
PARTS = 24
"""Tests into which the cuts at every byte are divided: one for a quick run, the others for `make test-all`."""
TEXT = "Déjà vu in 東京 🦊, told in pieces that belong together. "
HEADERS = Headers((("x-goog-api-key", "key"), ("content-type", "application/json")))
CREATE = Request(
    "POST",
    "/v1beta/interactions",
    HEADERS,
    b'{"model":"gemini-3.8-flash","input":"hi","stream":true,"background":true}',
)
Event = dict[str, Any]


@cache
def recorded(event_ids: str) -> Recording:
    """A recorded stream of the emulator, about 10 kB long."""
    emulator = Emulator(Settings(event_ids=event_ids))
    emulator.script({"text": TEXT * 30, "deltas": DELTAS[event_ids]})
    recording = Recording.of(ServiceDriver(emulator).send(CREATE))
    assert BYTES <= len(recording.body) < 1.1 * BYTES
    return recording


def events(body: bytes) -> list[Event]:
    """The complete events in a body, without the sentinel."""
    return [loads(frame.data).value for frame in Decoder().feed(body) if frame.data != PROTOCOL.sentinel]


class Oracle:
    """The resume oracle: prefix(cursor) + resumed(cursor) is the whole stream, wherever it was cut."""

    def __init__(self, recording: Recording) -> None:
        self._whole = events(recording.body)
        self._identity = next(found for event in self._whole if (found := PROTOCOL.stream_id(event)))
        self._right: set[tuple[int, bytes]] = set()

    def first(self) -> Request:
        """The request for the whole stream."""
        return PROTOCOL.resume(CREATE, self._identity, None)

    def resume(self, received: bytes) -> tuple[int, Request]:
        """The number of the last event with a cursor, or -1, and the request that resumes after it."""
        had = events(received)
        assert had == self._whole[: len(had)]
        at = max((number for number, event in enumerate(had) if PROTOCOL.cursor(event)), default=-1)
        cursor = PROTOCOL.cursor(had[at]) if at >= 0 else None
        return at, PROTOCOL.resume(CREATE, self._identity, cursor)

    def is_whole(self, at: int, rest: Exchange) -> bool:
        """Whether a resume after event `at` brought exactly the rest; equal answers are compared once."""
        key = (at, rest.body)
        if key not in self._right and compare(self._whole, at, events(rest.body), load()) == EventDiff():
            self._right.add(key)
        return rest.complete and key in self._right


def sweep(recording: Recording, places: Iterable[Place], drop: Drop) -> None:
    """Cut the stream at each place, resume it and check that the parts make the whole."""
    oracle, listed = Oracle(recording), list(places)
    plan = Plan(tuple(c for place in listed for c in (Connection((Cut(place, drop),)), Connection())))
    driver = ServiceDriver(cut(Player([recording], PROTOCOL, mode="resume"), plan, PROTOCOL))
    for place in listed:
        first = driver.send(oracle.first())
        assert first.ending.how == How(drop.value), place
        assert recording.body.startswith(first.body), place
        assert place.spot is not Spot.BYTE or len(first.body) == place.at, place
        at, request = oracle.resume(first.body)
        assert oracle.is_whole(at, driver.send(request)), place


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.thorough) for part in range(1, PARTS))]
)
@pytest.mark.parametrize("drop", [Drop.FIN, Drop.RST])
@pytest.mark.slow
def test_every_byte(drop: Drop, part: int) -> None:
    """Prefix and resumed rest make the whole stream for a cut at every byte."""
    places = list(every_byte(recorded("all").body))
    # Every so many bytes, not one range after the other: the later a cut, the longer it takes.
    sweep(recorded("all"), places[part::PARTS], drop)


@pytest.mark.slow
@pytest.mark.parametrize("drop", [Drop.FIN, Drop.RST])
def test_sparse_ids(drop: Drop) -> None:
    """If few events have an id, those after the last id are repeated on resume but not counted twice."""
    sweep(recorded("sparse"), structural(recorded("sparse").body), drop)
