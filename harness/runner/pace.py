"""A driver that keeps to a rate: so many requests a second, whoever of a run sends them.

Layer 4. Knows when the next request may go; must not know what is sent or what comes back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from harness.wire import Driver, Exchange, LiveStream, Request


class Pace:
    """Shared by all drivers of a run. `rate` is in requests a second, `clock` in seconds and only ever grows."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1.0 / rate
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def delay(self, requests: int = 1) -> float:
        """Seconds until so many may go at once: those that go together have waited for one another."""
        with self._lock:
            now = self._clock()
            moment = max(now, self._next) + (requests - 1) * self._gap
            self._next = moment + requests * self._gap
            return moment - now


class PacedDriver:
    """A `Driver` around another that waits for its turn."""

    def __init__(self, driver: Driver, pace: Pace) -> None:
        self._driver = driver
        self._pace = pace

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        """As the driver inside, in its turn."""
        self._take(1)
        return self._driver.send(request, timeout=timeout)

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        """As the driver inside, in its turn."""
        self._take(1)
        return self._driver.open(request, timeout=timeout)

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        """As the driver inside, when the turns of all of them have come."""
        self._take(len(requests))
        return self._driver.together(requests)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._driver.wait(seconds)

    def close(self) -> None:
        """Close the driver inside."""
        self._driver.close()

    def _take(self, requests: int) -> None:
        seconds = self._pace.delay(max(requests, 1))
        if seconds > 0:
            self._driver.wait(seconds)
