"""How long to pause between two looks at the same thing. Layer 1, pure."""

from __future__ import annotations

from collections.abc import Iterator

_FIRST, _GROWTH, _LONGEST = 0.02, 1.6, 5.0
"""Pauses between polls: the first in seconds, the growth factor, the longest in seconds. Most things happen soon,
on a nearby target within milliseconds; the others may take long."""


def pauses() -> Iterator[float]:
    """Yield the seconds to wait before each next poll, endlessly."""
    pause = _FIRST
    while True:
        yield pause
        pause = min(pause * _GROWTH, _LONGEST)


def pauses_within(seconds: float) -> Iterator[float]:
    """Yield the same pauses until they add up to `seconds`; the last one is shortened to fit."""
    for pause in pauses():
        if seconds <= 0:
            return
        yield min(pause, seconds)
        seconds -= pause
