"""The player of histories that a search gets from this API.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

from harness.kit.search import SearchWorld
from harness.strategies.client import operations_table
from harness.strategies.client.choices import list_choices
from harness.strategies.client.search_client import SearchClient
from harness.strategies.operations import ClientCommand
from harness.wire import Exchange, Request


class HistoryPlayer:
    """Plays `ClientCommand`s with one client; see `PlaysHistory`."""

    def __init__(self, world: SearchWorld) -> None:
        self._client = SearchClient(world)

    def resolve(self, step: ClientCommand, /) -> ClientCommand | None:
        """The operation with its actual subject; None if it does not apply."""
        return operations_table.resolve(self._client, step)

    def play(self, step: ClientCommand, /) -> None:
        """Play one operation."""
        operations_table.play(self._client, step)

    def send(self, request: Request, /) -> Exchange:
        """Send a request that means no more than it says, and judge its answer."""
        return self._client.send(request)

    def close(self) -> None:
        """Hang up all open streams."""
        self._client.close()

    def list_choices(self) -> Iterator[ClientCommand]:
        """The operations that the state allows."""
        return list_choices(self._client)

    def list_views(self) -> Iterator[Sequence[Any]]:
        """What is known of the interactions, in each order, and of the streams."""
        readers = self._client.readers
        unread = [reader for reader in readers if not reader.closed]
        cursors = [(reader.of, reader.cursor, reader.closed) for reader in readers]
        return ((order, unread, cursors) for order in permutations(self._client.interactions))
