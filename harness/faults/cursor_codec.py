"""Cursors that this package makes up, and the real cursor that each of them stands for.

Layer 1. A made-up cursor contains the real one, so no state is kept and any server can be behind the faults.
"""

from __future__ import annotations

_MARK = "harness-fault."


def own_id(cursor: str | None) -> str:
    """A cursor for an event that is added after the one with `cursor` (None: before any)."""
    return _MARK + (cursor or "")


def real_id(cursor: str) -> str | None:
    """The real cursor that a made-up one stands for, None for the start of the stream; a real one unchanged."""
    while cursor.startswith(_MARK):
        cursor = cursor.removeprefix(_MARK)
    return cursor or None
