"""Plays streams that are read in parts: opened, dropped, resumed from a cursor, read by two, read to the end.

Layer 4. The contract's `HistoryJudge` compares the parts: all of them belong to one sequence of events.
"""

from __future__ import annotations

from typing import Any

from harness.contract import PROTOCOL, read
from harness.contract.data.json_parse import objects
from harness.contract.judge.history.interaction_model import InteractionModel
from harness.engine.search.world import Reader, World
from harness.strategies.operations import ClientCommand


def begin(world: World, operation: ClientCommand) -> None:
    """Open the stream of an interaction from its first event and read `count` events."""
    model = world.subject(operation)
    if not model.there or not model.background:
        return
    _open(world, model, None, operation.count or 1)


def resume(world: World, operation: ClientCommand) -> None:
    """Resume from the cursor of a reader, as a client does after a drop, and read `count` events."""
    earlier = world.reader(operation, closed=True)
    if earlier.of.there:
        _open(world, earlier.of, earlier.cursor, operation.count or 1)


def _open(world: World, model: InteractionModel, cursor: str | None, count: int) -> None:
    query: dict[str, Any] = {"stream": True} if cursor is None else {"stream": True, "last_event_id": cursor}
    request = world.target.get(model.id, **query)
    stream = world.open(request)
    if stream.status is None or stream.status >= 300:
        world.hear(world.judge.refuse(model, cursor, world.keep(stream.finish())), request)
        return
    reader = Reader(model, stream, world.judge.open(model, cursor), world.begin(), request, cursor)
    world.readers.append(reader)
    _advance(world, reader, count)


def more(world: World, operation: ClientCommand) -> None:
    """Read `count` more events."""
    _advance(world, world.reader(operation), operation.count or 1)


def drop(world: World, operation: ClientCommand) -> None:
    """Hang up."""
    reader = world.reader(operation)
    reader.closed = True
    world.keep(reader.stream.close(), reader.sent)


def finish(world: World, operation: ClientCommand) -> None:
    """Read to the end."""
    _finish(world, world.reader(operation))


def _advance(world: World, reader: Reader, count: int) -> None:
    events = objects(frame.data for frame in reader.stream.read(count))
    for event in events:
        reader.cursor = PROTOCOL.cursor(event) or reader.cursor
    _take(world, reader, events)
    if reader.stream.ended:
        _finish(world, reader)


def _take(world: World, reader: Reader, events: list[dict[str, Any]]) -> None:
    reader.taken += len(events)
    world.hear(world.judge.take(reader.of, reader.reading, events), reader.request)


def _finish(world: World, reader: Reader) -> None:
    reader.closed = True
    exchange = world.keep(reader.stream.finish(), reader.sent)
    if not exchange.truncated and not exchange.excuse:
        _take(world, reader, read(exchange).events[reader.taken :])
        world.hear(world.judge.finish(reader.of, reader.reading, exchange), reader.request)
