"""Splits texts into deltas without splitting a visible character.

Layer 2. Pure.
"""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"


def pieces(text: str, number: int) -> list[str]:
    """Split `text` into at most `number` non-empty pieces of about equal length, which join to `text` again.

    No cut separates a combining mark, a variation selector or a joined emoji from what it belongs to.
    """
    size = max(1, -(-len(text) // number))
    cuts, start = [], 0
    while start < len(text):
        end = min(start + size, len(text))
        while end < len(text) and _belongs(text[end - 1], text[end]):
            end += 1
        cuts.append(text[start:end])
        start = end
    return cuts


def _belongs(before: str, after: str) -> bool:
    if after < "\u0300" and before != _JOINER:
        return after == "\n" and before == "\r"
    return (
        before == _JOINER
        or after == _JOINER
        or unicodedata.combining(after) != 0
        or "\ufe00" <= after <= "\ufe0f"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or (_regional(before) and _regional(after))
    )


def _regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
