"""A driver that keeps to a rate: so many requests per second, over all drivers of a run.

Layer 4. Knows when the next request may be sent; must not know what is sent or what comes back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from harness.wire import Driver, Exchange, LiveStream, Request


class Pace:
    """Shared by all drivers of a run. `rate` is in requests per second; `clock` is in seconds and monotonic."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1.0 / rate
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def delay(self, requests: int = 1) -> float:
        """Reserve turns for `requests` that are sent at once; return the seconds until the last turn comes."""
        with self._lock:
            now = self._clock()
            moment = max(now, self._next) + (requests - 1) * self._gap
            self._next = moment + requests * self._gap
            return moment - now


class PacedDriver:
    """A `Driver` around another that waits for its turn before it sends."""

    def __init__(self, driver: Driver, pace: Pace) -> None:
        self._driver = driver
        self._pace = pace

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        """Wait for a turn, then do as the wrapped driver does."""
        self._take(1)
        return self._driver.send(request, timeout=timeout)

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        """Wait for a turn, then do as the wrapped driver does."""
        self._take(1)
        return self._driver.open(request, timeout=timeout)

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        """Wait until the turns of all requests have come, then do as the wrapped driver does."""
        self._take(len(requests))
        return self._driver.together(requests)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._driver.wait(seconds)

    def close(self) -> None:
        """Close the wrapped driver."""
        self._driver.close()

    def _take(self, requests: int) -> None:
        seconds = self._pace.delay(max(requests, 1))
        if seconds > 0:
            self._driver.wait(seconds)
