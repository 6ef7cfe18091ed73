"""A driver that gives no request more time than the search has left.

Layer 4. Between requests a search looks at the clock itself; this driver is for a request that hangs. A response
that our own time limit cut short says nothing about the target, so it is never returned: `TimeUp` ends the search.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from harness.engine.traffic.governed_driver import StreamAround
from harness.wire import By, Driver, Exchange, Frame, LiveStream, Request

LEAST = 0.05
"""Least timeout of a request in seconds; also how early, by rounding, a timeout may end a request."""


class TimeUp(BaseException):
    """Ends a search at once: Hypothesis neither counts nor shrinks what is not an `Exception`.

    Its message, if any, says what the search was waiting for, and `waited` for how many seconds.
    """

    def __init__(self, message: str = "", waited: float = 0.0) -> None:
        super().__init__(message)
        self.waited = waited


class Timer:
    """Counts down from a number of seconds; with None it never ends."""

    def __init__(self, seconds: float | None) -> None:
        self._began = time.perf_counter()
        self._seconds = seconds

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._began

    @property
    def left(self) -> float:
        """Seconds until the end; infinite if there is no limit."""
        return math.inf if self._seconds is None else self._seconds - self.spent

    def over(self) -> bool:
        """Whether time is up."""
        return self.left <= 0


class PatientDriver:
    """A `wire.Driver` around another, for a search bounded by `timer`; `most` is the limit in seconds per request.

    Raises `TimeUp` when time is up; otherwise behaves like the inner driver. It does not close the inner driver.
    """

    def __init__(self, driver: Driver, timer: Timer, most: float) -> None:
        self._driver = driver
        self._timer = timer
        self._most = most

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        """Send as the inner driver does, within the time left."""
        return self._whole(self._driver.send(request, timeout=self._bound(timeout)))

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        """Like `send`, but return a stream whose body is still to be read."""
        stream = _PatientStream(self._driver.open(request, timeout=self._bound(timeout)), self._whole)
        if stream.status is None:
            stream.finish()
        return stream

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        """Send all requests at the same time."""
        return [self._whole(exchange) for exchange in self._driver.together(requests)]

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the end of the search; raises `TimeUp` at its end."""
        self._driver.wait(self._bound(seconds))
        self._bound(None)

    def close(self) -> None:
        """Do nothing: whoever made the inner driver closes it."""

    def _bound(self, seconds: float | None) -> float:
        left = self._timer.left
        if left <= 0:
            raise TimeUp
        return max(LEAST, min(left, self._most if seconds is None else seconds))

    def _whole(self, exchange: Exchange) -> Exchange:
        if exchange.ending.by is By.LIMIT and self._timer.left <= LEAST:
            request = exchange.request
            told = f"{request.method} {request.raw_path} had gone unanswered for {exchange.seconds:.1f} s"
            raise TimeUp(f"time was up when {told}", exchange.seconds)
        return exchange


class _PatientStream(StreamAround):
    """A `LiveStream` whose finished exchange is checked by `look` before it is returned."""

    def __init__(self, stream: LiveStream, look: Callable[[Exchange], Exchange]) -> None:
        super().__init__(stream)
        self._look = look

    def read(self, events: int) -> list[Frame]:
        frames = super().read(events)
        if self.ended:
            self.finish()
        return frames

    def finish(self) -> Exchange:
        return self._look(super().finish())
