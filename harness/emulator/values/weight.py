"""About how much memory a stored interaction or resource takes, told from its bytes.

Layer 2. JSON grows when it is read: a list of a million short texts takes eight times the bytes that it came in.
Counting a few signs takes no time, and errs to the safe side with texts that are full of commas.
"""

from __future__ import annotations

from typing import Any

import msgspec

_PER_VALUE, _PER_OBJECT = 64, 240
"""Bytes that one value or one list, and one object, take besides their own texts."""

_COPIES = 4
"""An answer is kept as values, as events, as frames and as bodies."""


def weigh_json(data: bytes) -> int:
    """Return about how many bytes of memory a JSON text takes once it is read."""
    values = data.count(b",") + data.count(b"[")
    return len(data) + values * _PER_VALUE + data.count(b"{") * _PER_OBJECT


def weigh_answer(steps: list[Any]) -> int:
    """Return about how many bytes of memory the steps of an answer take, in all forms in which they are kept."""
    return _COPIES * len(msgspec.json.encode(steps))
