"""Gives no request more time than a run has left.

Layer 4. Between requests a search looks at the clock itself; this policy is for a request that hangs. A response
that our own time limit cut short says nothing about the target, so it is never returned: `TimeUp` ends the run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy
from harness.outcome.words import format_count
from harness.wire import By, Exchange
from harness.wire.sse import Decoder

_TOLD = frozenset({"stream", "alt"})
"""The parts of a query that are told: they say what kind of answer is waited for, and are no secret."""

MIN_TIMEOUT = 0.05
"""Least timeout of a request in seconds; also how early, by rounding, a timeout may end a request."""


class TimeUp(BaseException):
    """Ends a run at once: Hypothesis neither counts nor shrinks what is not an `Exception`.

    Its message, if any, says what the run was waiting for, and `waited` for how many seconds. `exchange` is what
    came until then: not to be judged, but it may have created something.
    """

    def __init__(self, message: str = "", waited: float = 0.0, exchange: Exchange | None = None) -> None:
        super().__init__(message)
        self.waited = waited
        self.exchange = exchange


class Timer:
    """Counts down from a number of seconds; with None it never ends by itself. Several threads may share one."""

    def __init__(self, seconds: float | None) -> None:
        self._began = time.perf_counter()
        self._seconds = seconds
        self.stopped = False

    def stop(self) -> None:
        """End it now, as the user wants."""
        self.stopped = True
        self.end()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._began

    @property
    def left(self) -> float:
        """Seconds until the end; infinite if there is no limit."""
        return math.inf if self._seconds is None else self._seconds - self.spent

    @property
    def share_spent(self) -> float:
        """The part of the time that is spent, from 0 to 1; 0 if there is no limit."""
        return 0.0 if self._seconds is None else self.spent / max(self._seconds, 1e-9)

    def over(self) -> bool:
        """Whether time is up."""
        return self.left <= 0

    def end(self, grace: float = 0.0) -> None:
        """Let the time be up in `grace` seconds, whatever was left."""
        self._seconds = self.spent + grace


class Deadline(DriverPolicy):
    """Bounds everything by `timer`; `limit` is the most seconds for one request. Raises TimeUp when time is up."""

    def __init__(self, timer: Timer, limit: float) -> None:
        self._timer = timer
        self._limit = limit

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Give each request the time that is left; requests sent together are bounded by the driver alone."""
        for attempt in attempts:
            if not attempt.parallel:
                attempt.timeout = self._cap(self._limit if attempt.timeout is None else attempt.timeout)
        return 0.0

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Return the exchange, unless it was our own end of time that cut it off."""
        if exchange.ending.by is By.LIMIT and self._timer.left <= MIN_TIMEOUT:
            raise TimeUp(f"the time limit was reached when {_describe_wait(exchange)}", exchange.seconds, exchange)
        return exchange

    def bound_wait(self, seconds: float) -> float:
        """Wait no longer than time is left."""
        return self._cap(seconds)

    def _cap(self, seconds: float) -> float:
        left = self._timer.left
        if left <= 0:
            raise TimeUp
        return max(MIN_TIMEOUT, min(left, seconds))


def _describe_wait(exchange: Exchange) -> str:
    """Which request was waited for, and how much of its answer had come."""
    request = exchange.request
    what, seconds = f"{request.method} {request.raw_path}", f"{exchange.seconds:.1f} s"
    asked = "&".join(f"{name}={value}" for name, value in request.query if name in _TOLD)
    what = f"{what}?{asked}" if asked else what
    if exchange.status is None:
        return f"{what} had no response for {seconds}"
    frames = len(Decoder().feed(exchange.body))
    came = format_count(frames, "event") if frames else format_count(len(exchange.body), "byte")
    return f"the response to {what} had not ended after {seconds}: {exchange.status} and {came} came"
