"""The transducer applies its stages in order, adapts the framing and emits nothing after an ending."""

from __future__ import annotations

import pytest

from harness.contract import PROTOCOL
from harness.faults import parse
from harness.faults.service import PROMISED, framing_for, transducer
from harness.wire import COMPLETE, At, Chunk, Chunked, Ending, Framing, How, Length, UntilClose
from tests.faults.streams import STREAM, pieces_through

FRAMINGS: dict[str, tuple[Framing, Framing, Framing]] = {
    "event:3,rst": (Chunked(), Length(9), UntilClose()),
    "event:3,fin": (Chunked(), Length(9), UntilClose()),
    "event:3,stall": (Chunked(), Length(9), UntilClose()),
    "event:3,end": (Chunked(), Chunked(), UntilClose()),
    "event:3,bad-chunk": (Chunked(), Chunked(), Chunked()),
    "event:3,short-length": (Length(PROMISED), Length(9), Length(PROMISED)),
    "crlf,event:3,short-length": (Length(PROMISED), Length(PROMISED), Length(PROMISED)),
    "crlf,event:3,rst": (Chunked(), Chunked(), UntilClose()),
    "ping:1": (Chunked(), Chunked(), UntilClose()),
    "pass": (Chunked(), Length(9), UntilClose()),
}


@pytest.mark.parametrize("plan", FRAMINGS)
def test_framing(plan: str) -> None:
    """A Content-Length is kept only if it stays correct or is meant to be too long."""
    found = tuple(framing_for(parse(plan).faults(0), framing) for framing in (Chunked(), Length(9), UntilClose()))
    assert found == FRAMINGS[plan]


def test_nothing_follows_an_ending() -> None:
    """Anything fed after an ending produces nothing, and `ended` is true."""
    machine, _ = transducer(parse("event:1,rst").faults(0), PROTOCOL, Chunked())
    assert [type(piece) for piece in machine.feed(Chunk(STREAM[0] + STREAM[1]))] == [Chunk, Ending]
    assert machine.ended
    assert machine.feed(Chunk(STREAM[1])) == []
    assert machine.feed(COMPLETE) == []


@pytest.mark.parametrize("plan", ["event:0,rst", "ping:0", "byte:0,end", "chunks:1"])
def test_a_dead_connection_stays_dead(plan: str) -> None:
    """A connection that died before the headers has no body, so no fault changes it."""
    dead = Ending(how=How.FIN, at=At.BEFORE_HEADERS)
    assert pieces_through(plan, [dead]) == [dead]


def test_stages_tell_whether_they_fired() -> None:
    """A stage reports whether its fault fired, so that a place that never came is known."""
    machine, stages = transducer(parse("ping:9,dup:1,event:1,rst").faults(0), PROTOCOL, Chunked())
    assert not any(stage.fired for _, stage in stages)
    machine.feed(Chunk(STREAM[0]))
    assert [(str(fault), stage.fired) for fault, stage in stages] == [
        ("ping:9", False), ("dup:1", True), ("event:1,rst", True),
    ]  # fmt: skip
