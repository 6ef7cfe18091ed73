"""Real time as a `Clock`, for a service that stands on a port by itself; tests use the logical one.

Layer 3. Nothing but the machine's monotonic clock moves it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.wire import TICK


class WallClock:
    """Seconds since it was made; requests and pauses move nothing, for they take their real time.

    `source` gives seconds that never go back.
    """

    __slots__ = ("_began", "_source", "tick_seconds")

    def __init__(self, *, tick_seconds: float = TICK, source: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._began = source()
        self.tick_seconds = tick_seconds

    @property
    def now(self) -> float:
        """Seconds since this clock was made."""
        return self._source() - self._began

    def tick(self) -> None:
        """A request arrived, in its own time."""

    def reached(self, moment: float) -> None:
        """The pause really took place."""
