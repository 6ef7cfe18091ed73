"""How a message words a long text and a number of things.

Layer 0. Knows words; must not know what they tell of.
"""

from __future__ import annotations


def shortened(text: str, most: int) -> str:
    """The text, of a long one the beginning and an ellipsis: at most `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def measured(text: str, most: int) -> str:
    """The text, of a long one the first `most` characters and how long it is."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 event`, `2 events`; `plural` where it is not the noun with an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
