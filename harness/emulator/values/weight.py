"""About how much memory a stored interaction or resource takes, told from its bytes.

Layer 2. JSON grows when it is read: a list of a million short texts takes eight times the bytes that it came in.
Counting a few signs takes no time, and errs to the safe side with texts that are full of commas.
"""

from __future__ import annotations

from typing import Any

import msgspec

_PER_SIGN = {b",": 64, b"[": 64, b"{": 240}
"""Bytes that one value, one list and one object take besides their own texts."""

_COPIES = 4
"""An answer is kept as values, as events, as frames and as bodies."""


def weigh_json(data: bytes) -> int:
    """Return about how many bytes of memory a JSON text takes once it is read."""
    return len(data) + sum(data.count(sign) * cost for sign, cost in _PER_SIGN.items())


def weigh_answer(steps: list[Any]) -> int:
    """Return about how many bytes of memory the steps of an answer take, in all forms in which they are kept."""
    return _COPIES * len(msgspec.json.encode(steps))
