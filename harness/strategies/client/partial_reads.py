"""Plays streams that are read in parts: opened, dropped, resumed from a cursor, read by two, read to the end.

Layer 2. The contract's `HistoryJudge` compares the parts: all of them belong to one sequence of events.
"""

from __future__ import annotations

from typing import Any

from harness.contract import PROTOCOL, read
from harness.contract.data.json_parse import objects
from harness.contract.judge.history.interaction_model import InteractionModel
from harness.strategies.client.search_client import Reader, SearchClient
from harness.strategies.operations import ClientCommand


def begin(client: SearchClient, operation: ClientCommand) -> None:
    """Open the stream of an interaction from its first event and read `count` events."""
    model = client.subject(operation)
    if not model.there or not model.background:
        return
    _open(client, model, None, operation.count or 1)


def resume(client: SearchClient, operation: ClientCommand) -> None:
    """Resume from the cursor of a reader, as a client does after a drop, and read `count` events."""
    earlier = client.reader(operation, closed=True)
    if earlier.of.there:
        _open(client, earlier.of, earlier.cursor, operation.count or 1)


def _open(client: SearchClient, model: InteractionModel, cursor: str | None, count: int) -> None:
    query: dict[str, Any] = {"stream": True} if cursor is None else {"stream": True, "last_event_id": cursor}
    request = client.target.get(model.id, **query)
    stream = client.open(request)
    if stream.status is None or stream.status >= 300:
        client.world.accuse(client.judge.refuse(model, cursor, client.world.keep(stream.finish())), request)
        return
    reader = Reader(model, stream, client.judge.open(model, cursor), client.world.begin(), request, cursor)
    client.readers.append(reader)
    _advance(client, reader, count)


def more(client: SearchClient, operation: ClientCommand) -> None:
    """Read `count` more events."""
    _advance(client, client.reader(operation), operation.count or 1)


def drop(client: SearchClient, operation: ClientCommand) -> None:
    """Hang up."""
    reader = client.reader(operation)
    reader.closed = True
    client.world.keep(reader.stream.close(), reader.sent)


def finish(client: SearchClient, operation: ClientCommand) -> None:
    """Read to the end."""
    _finish(client, client.reader(operation))


def _advance(client: SearchClient, reader: Reader, count: int) -> None:
    events = objects(frame.data for frame in reader.stream.read(count))
    for event in events:
        reader.cursor = PROTOCOL.cursor(event) or reader.cursor
    _take(client, reader, events)
    if reader.stream.ended:
        _finish(client, reader)


def _take(client: SearchClient, reader: Reader, events: list[dict[str, Any]]) -> None:
    reader.taken += len(events)
    client.world.accuse(client.judge.take(reader.of, reader.reading, events), reader.request)


def _finish(client: SearchClient, reader: Reader) -> None:
    reader.closed = True
    exchange = client.world.keep(reader.stream.finish(), reader.sent)
    if not exchange.truncated and not exchange.excuse:
        _take(client, reader, read(exchange).events[reader.taken :])
        client.world.accuse(client.judge.finish(reader.of, reader.reading, exchange), reader.request)
