"""Keeps to a rate: so many requests per second, over all drivers of a run.

Layer 4. Knows when the next request may be sent; must not know what is sent or what comes back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy


class Pacing(DriverPolicy):
    """Shared by all drivers of a run. `rate` is in requests per second; `clock` is in seconds and monotonic."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1.0 / rate
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Reserve turns for requests that are sent at once; return the seconds until the last turn comes."""
        return self.reserve(len(attempts))

    def reserve(self, requests: int = 1) -> float:
        """Reserve so many turns (at least one); return the seconds until the last of them comes."""
        turns = max(requests, 1)
        with self._lock:
            now = self._clock()
            moment = max(now, self._next) + (turns - 1) * self._gap
            self._next = moment + turns * self._gap
            return moment - now
