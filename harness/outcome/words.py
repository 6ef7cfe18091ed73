"""Wording for messages: shortened texts, and nouns with a number.

Layer 0. Knows text; must not know what it is about.
"""

from __future__ import annotations

from collections.abc import Sequence


def shorten(text: str, most: int) -> str:
    """The text; if it is longer than `most` characters, shortened to that many, which end in an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shorten_with_length(text: str, most: int) -> str:
    """The text; if it is longer than `most` characters, that many of them and its length."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def list_some(names: Sequence[str], most: int, *, hint: str = "") -> str:
    """`a, b and 3 more (hint)`: the first `most` names, and how many there are besides."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" + (f" ({hint})" if hint else "") if left > 0 else "")


def format_count(number: int, noun: str, plural: str = "") -> str:
    """`1 event`, `2 events`; pass `plural` if it is not the noun plus an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
