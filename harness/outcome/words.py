"""Wording for messages: shortened texts, and nouns with a number.

Layer 0. Knows text; must not know what it is about.
"""

from __future__ import annotations


def shorten(text: str, most: int) -> str:
    """The text; if it is longer than `most` characters, shortened to that many, which end in an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shorten_with_length(text: str, most: int) -> str:
    """The text; if it is longer than `most` characters, that many of them and its length."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def format_count(number: int, noun: str, plural: str = "") -> str:
    """`1 event`, `2 events`; pass `plural` if it is not the noun plus an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
