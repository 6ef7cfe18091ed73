"""What passed and was not taken apart yet: the threads that serve only note it, and a page that looks reads it.

Layer 6. Bounded, so that a flood of events cannot fill the memory. Each answer keeps its own notes, which go
with it when it is forgotten. Callers hold the lock of the `SeenTraffic`.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

from harness.inspector.seen_exchange import SeenExchange
from harness.wire import Chunk, Ending

MOST_NOTES, MOST_BYTES = 20_000, 16 * 1024 * 1024


class Note(NamedTuple):
    """A chunk or the ending of an answer, and when it went out."""

    seen: SeenExchange
    what: Chunk | Ending
    moment: float


class Backlog:
    """The answers with notes that nobody has read."""

    def __init__(self) -> None:
        self._behind: dict[int, SeenExchange] = {}
        self._notes = self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether more is kept than should be."""
        return self._notes > MOST_NOTES or self._size > MOST_BYTES

    @property
    def oldest(self) -> SeenExchange:
        """The answer that waits longest."""
        return next(iter(self._behind.values()))

    def add(self, seen: SeenExchange, what: Chunk | Ending, moment: float) -> None:
        """Keep a note."""
        unread = seen.unread
        if not unread:
            self._behind[seen.number] = seen
        unread += (moment, what)
        self._notes += 1
        if isinstance(what, Chunk):
            self._size += len(what.data)

    def take(self, seen: SeenExchange) -> Note:
        """The next note of an answer."""
        moment, what = seen.unread.popleft(), seen.unread.popleft()
        self._notes -= 1
        if isinstance(what, Chunk):
            self._size -= len(what.data)
        if not seen.unread:
            del self._behind[seen.number]
        return Note(seen, what, moment)

    def drop(self, seen: SeenExchange) -> None:
        """Forget the notes of an answer."""
        if self._behind.pop(seen.number, None) is not None:
            self._notes -= len(seen.unread) // 2
            self._size -= sum(len(what.data) for what in seen.unread if isinstance(what, Chunk))
            seen.unread.clear()

    def take_in_order(self) -> Iterator[Note]:
        """Take all notes, the oldest first; in between, answers may be dropped."""
        waiting = [(seen.unread[0], number) for number, seen in self._behind.items()]
        heapify(waiting)
        while waiting:
            seen = self._behind.get(waiting[0][1])
            if seen is None:
                heappop(waiting)
                continue
            note = self.take(seen)
            if seen.unread:
                heapreplace(waiting, (seen.unread[0], seen.number))
            yield note
