"""Real time as a `Clock`, for a service that runs on a port of its own; tests use the logical clock.

Layer 3. Only the machine's monotonic clock moves it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.wire import TICK


class WallClock:
    """Seconds since its creation. Requests and pauses do not move it, because they take real time.

    `source` returns seconds that never go back. With a `speed` other than 1 this clock runs so many times faster
    than its source, and ticks last as long as ever.
    """

    __slots__ = ("_began", "_source", "speed", "tick_seconds")

    def __init__(
        self,
        *,
        tick_seconds: float = TICK,
        source: Callable[[], float] = time.monotonic,
        speed: float = 1.0,
    ) -> None:
        self._source = source
        self._began = source()
        self.speed = speed
        self.tick_seconds = tick_seconds * speed

    skipped = 0.0
    """Nobody skips a sleep where time is real."""

    @property
    def now(self) -> float:
        """Seconds since this clock was made."""
        return (self._source() - self._began) * self.speed

    def tick(self) -> None:
        """Do nothing: the request arrived in real time."""

    def reached(self, moment: float) -> None:
        """Do nothing: the pause took real time."""
