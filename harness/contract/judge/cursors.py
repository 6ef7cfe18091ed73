"""The event ids of one stream, in bounded space. Layer 1.

A cursor is opaque: only its presence, its order of arrival and its uniqueness can be judged. Uniqueness is
judged by 64-bit hashes, at most `CURSORS` of them; beyond that the rule counts as not judged.
"""

from __future__ import annotations

from dataclasses import dataclass

CURSORS = 262_144


@dataclass(frozen=True, slots=True)
class Cursors:
    """What is known of a stream's cursors. `judged` is False if there were too many to rule out a repeat."""

    first: str | None = None
    last: str | None = None
    count: int = 0
    judged: bool = True


class CursorLog:
    """Records the event ids of a stream; takes each of them once, in order."""

    __slots__ = ("_first", "_last", "_repeats", "_seen", "_unjudged")

    def __init__(self) -> None:
        self._first: str | None = None
        self._last: str | None = None
        self._seen: set[int] = set()
        self._repeats = 0  # ids that were seen before
        self._unjudged = 0  # ids beyond `CURSORS`

    def repeats(self, cursor: str) -> bool:
        """Record `cursor` and return whether it was seen before, as far as that is judged."""
        if self._last is None:
            self._first = cursor
        self._last = cursor
        seen = self._seen
        key = hash(cursor)
        if key in seen:
            self._repeats += 1
            return True
        if len(seen) < CURSORS:
            seen.add(key)
        else:
            self._unjudged += 1
        return False

    def summary(self) -> Cursors:
        """What is known of all cursors so far."""
        count = len(self._seen) + self._repeats + self._unjudged
        return Cursors(self._first, self._last, count, not self._unjudged)
