"""Plays streams that are read in parts: opened, dropped, resumed from a cursor, read by two, read to the end.

Layer 4. The law is that of `streaming`: all parts belong to one sequence of events.
"""

from __future__ import annotations

from typing import Any

from harness.contract import PROTOCOL
from harness.contract.data.json_parse import objects
from harness.engine.search.playing import reads
from harness.engine.search.playing.answer import says_nothing
from harness.engine.search.playing.interaction_model import Known, Reader
from harness.engine.search.streaming import absorb
from harness.engine.search.world import World
from harness.strategies.operations import Operation
from harness.wire import Exchange


def begin(world: World, operation: Operation) -> None:
    """Open the stream of an interaction from its first event and read `count` events."""
    known = world.subject(operation)
    if not known.there or not known.background:
        return
    _open(world, known, None, 0, operation.count or 1)


def resume(world: World, operation: Operation) -> None:
    """Resume from the cursor of a reader, as a client does after a drop, and read `count` events."""
    earlier = world.reader(operation, closed=True)
    if not earlier.of.there:
        return
    cursor = earlier.cursor
    position = 0 if cursor is None else earlier.of.position_after(cursor)
    _open(world, earlier.of, cursor, position, operation.count or 1)


def _open(world: World, known: Known, cursor: str | None, position: int | None, count: int) -> None:
    query: dict[str, Any] = {"stream": True} if cursor is None else {"stream": True, "last_event_id": cursor}
    stream = world.open(world.target.get(known.id, **query))
    if stream.status is None or stream.status >= 300:
        answer = world.keep(stream.finish())
        if not says_nothing(answer) and answer.status != 501:
            rule = "resume.opens" if cursor is None else "resume.live"
            world.note(rule, "no stream of an interaction that is there", "an event stream", answer.status)
        return
    reader = Reader(known, stream, position, cursor, cursor)
    world.readers.append(reader)
    _advance(world, reader, count)


def more(world: World, operation: Operation) -> None:
    """Read `count` more events."""
    _advance(world, world.reader(operation), operation.count or 1)


def drop(world: World, operation: Operation) -> None:
    """Hang up."""
    reader = world.reader(operation)
    reader.closed = True
    world.keep(reader.stream.close())


def finish(world: World, operation: Operation) -> None:
    """Read to the end."""
    _finish(world, world.reader(operation))


def _advance(world: World, reader: Reader, count: int) -> None:
    events = objects(frame.data for frame in reader.stream.read(count))
    _take(world, reader, events)
    if reader.stream.ended:
        _finish(world, reader)


def _take(world: World, reader: Reader, events: list[dict[str, Any]]) -> None:
    reader.of.read_on = True
    for event in events:
        reader.cursor = PROTOCOL.cursor(event) or reader.cursor
    if reader.position is None or not events or not reader.of.there:
        return
    resumed = reader.after is not None
    findings, reader.position = absorb(
        reader.of, reader.position, events, resumed=resumed, boundary=resumed and reader.fresh
    )
    reader.fresh = False
    world.found += findings


def _finish(world: World, reader: Reader) -> None:
    reader.closed = True
    answer: Exchange = world.keep(reader.stream.finish())
    if answer.truncated or reader.position is None or not answer.ending.complete or not reader.of.there:
        return
    start = 0 if reader.after is None else reader.of.position_after(reader.after)
    if start is not None:
        reads.took_in(world, reader.of, start, answer)
