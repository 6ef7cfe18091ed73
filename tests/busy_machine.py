"""How busy the machine is: a server in real time gives its runs longer where those who judge it are slower.

And a test looks again with a longer time limit, where the short one ended more than the stall it is for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

USUAL = 4.0
"""How much slower than alone a test is beside the other workers of a test run."""

LONGEST = 3.0
"""Seconds that no check takes for a run without an end."""


class Stretch:
    """Makes times longer, up to three seconds, where a thread waits for a processor most of its time."""

    def __init__(self) -> None:
        begun, worked = time.monotonic(), time.thread_time()
        while time.thread_time() < worked + 0.005:
            pass
        self._slower = (time.monotonic() - begun) / (time.thread_time() - worked)

    def __call__(self, seconds: float) -> float:
        """The same seconds, or more."""
        return max(seconds, min(LONGEST, seconds * self._slower / USUAL))


def within(play: Callable[[float], T], is_expected: Callable[[T], bool], *, first: float) -> T:
    """What is seen with a time limit of `first` seconds, or with a longer one unless it is what is expected.

    Only for what a longer limit cannot make right: an end that comes from the limit itself, at its right place.
    """
    for times in (1, 10, 100):
        seen = play(first * times)
        if is_expected(seen):
            break
    return seen
