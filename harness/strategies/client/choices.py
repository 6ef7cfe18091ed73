"""The operations that every history is made of, if all short histories are to be played.

Layer 2. Few of each, as their number grows with a power of the depth: two interactions, two streams, and only
legal operations.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.strategies.client.search_client import SearchClient
from harness.strategies.operations import ClientCommand

INTERACTIONS = 2
READERS = 2

_CREATES = ("plain", "background", "background-stream", "unstored", "tools")
_LATE_MODES = ("plain", "background")
_COUNTS = (1, 4)


def list_choices(client: SearchClient) -> Iterator[ClientCommand]:
    """The operations that a state allows."""
    room = len(client.interactions) < INTERACTIONS
    if room:
        yield from (ClientCommand("create", mode=mode) for mode in _CREATES)
    for number, known in enumerate(client.interactions):
        if not known.id:
            continue
        yield from (ClientCommand(kind, number) for kind in ("poll", "replay", "cancel", "delete"))
        if room or known.gone or known.running:
            yield from (ClientCommand("chain", number, mode) for mode in _LATE_MODES)
        if known.calls and room:
            yield ClientCommand("answer", number, "plain")
        if known.background and known.there and len(client.readers) < READERS:
            yield from (ClientCommand("open", number, count=count) for count in _COUNTS)
    yield from _of_readers(client)


def _of_readers(client: SearchClient) -> Iterator[ClientCommand]:
    number_open = sum(not reader.closed for reader in client.readers)
    for number in range(number_open):
        yield from (ClientCommand(kind, number) for kind in ("drop", "finish"))
        yield ClientCommand("read", number, count=2)
    if client.readers and len(client.readers) < READERS:
        yield ClientCommand("resume", 0, count=2)
