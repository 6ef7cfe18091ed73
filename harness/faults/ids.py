"""Cursors that this package made up, and the way back from one to the real cursor it stands after.

Layer 1. The real cursor is written inside, so nothing has to be remembered and any server can be behind.
"""

from __future__ import annotations

_MARK = "harness-fault."


def own_id(cursor: str | None) -> str:
    """A cursor for an event that was added after the one with `cursor` (None: before any)."""
    return _MARK + (cursor or "")


def real_id(cursor: str) -> str | None:
    """The cursor that a made-up one stands for, None for the start of the stream; a real one as it is."""
    while cursor.startswith(_MARK):
        cursor = cursor.removeprefix(_MARK)
    return cursor or None
