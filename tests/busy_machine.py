"""How busy the machine is: a server in real time gives its runs longer where those who judge it are slower."""

from __future__ import annotations

import time

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
