"""Real time as a `Clock`, for demonstrations that people watch; tests use the logical one.

Layer 3. Nothing but the machine's monotonic clock moves it.
"""

from __future__ import annotations

import time

from harness.wire import TICK


class WallClock:
    """Seconds since it was made; requests and pauses move nothing, for they take their real time."""

    __slots__ = ("_began", "tick_seconds")

    def __init__(self, *, tick_seconds: float = TICK) -> None:
        self._began = time.monotonic()
        self.tick_seconds = tick_seconds

    @property
    def now(self) -> float:
        """Seconds since this clock was made."""
        return time.monotonic() - self._began

    def tick(self) -> None:
        """A request arrived, in its own time."""

    def reached(self, moment: float) -> None:
        """The pause really took place."""
