"""How long to pause between two looks at the same thing, and how long to look. Layer 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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


_PART, _LEAST = 8, 2.0
"""After a wait in vain: the part of the time that the next one gets, and the least seconds."""


@dataclass(slots=True)
class WaitingTime:
    """How long to wait for what may never happen: the whole time until that was in vain once, then a part of it."""

    in_vain: bool = False

    def of(self, whole: float) -> float:
        """The seconds that the next wait gets, of those that the user allows."""
        return max(whole / _PART, min(whole, _LEAST)) if self.in_vain else whole
