"""The end of a run: its timer, what no request may exceed, and interrupts that are held back.

`Deadline` gives no request more time than is left. Between requests a search looks at the clock itself; `Deadline`
is for a request that hangs. A response that our own time limit cut short proves nothing about the target, so it is
never returned: `TimeUp` ends the run. An interrupt between a create and its response would leave behind an unknown
resource, so `hold_interrupts` waits for the response, which names the resource to delete later.
"""

from __future__ import annotations

import math
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any, TypeVar

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy
from harness.outcome.words import format_count
from harness.wire import By, Decoder, Exchange, How, Request

_TOLD = frozenset({"stream", "alt"})
"""The parts of a query that are told: they say what kind of answer is waited for, and are no secret."""

MIN_TIMEOUT = 0.05
"""Least timeout of a request in seconds; also how early, by rounding, a timeout may end a request."""

INTERRUPTED = "it was interrupted"
"""The `halted` of a run that its user ended."""


Item = TypeVar("Item")


class TimeUp(BaseException):
    """Ends a run at once: Hypothesis neither counts nor shrinks it, since it is no `Exception`.

    Its message, if any, names the wait of the run, and `waited` its seconds. `exchange` is the part received until
    then: not to be judged, but it may have created something.
    """

    def __init__(self, message: str = "", waited: float = 0.0, exchange: Exchange | None = None) -> None:
        super().__init__(message)
        self.waited = waited
        self.exchange = exchange


def describe_end(end: TimeUp | KeyboardInterrupt) -> str:
    """Why the run ended early: an interrupt, or its time, and what it was waiting for."""
    if isinstance(end, KeyboardInterrupt):
        return INTERRUPTED
    return f"the time limit was reached (--deadline){f'; {end}' if str(end) else ''}"


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

    def over(self) -> bool:
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
        """Give each request the time that is left; if that is enough, the driver bounds those sent together."""
        for attempt in attempts:
            # A stream may be open for longer than it is read, and be repeated for as long as it was open.
            wanted = self._limit if attempt.timeout is None else min(attempt.timeout, self._limit)
            attempt.bounded = (left := self._cap(wanted)) < wanted
            if attempt.bounded or not attempt.parallel:
                attempt.timeout = left
        return 0.0

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Return the exchange, unless it was our own end of time that cut it off."""
        # The timer may have got a grace meanwhile, in which another worker deletes what it made.
        ours = attempt.bounded and exchange.ending.how is How.TIMEOUT
        if exchange.ending.by is By.LIMIT and (ours or self._timer.left <= MIN_TIMEOUT):
            raise TimeUp(f"the time limit was reached when {describe_wait(exchange)}", exchange.seconds, exchange)
        return exchange

    def bound_wait(self, seconds: float) -> float:
        return self._cap(seconds)

    def _cap(self, seconds: float) -> float:
        left = self._timer.left
        if left <= 0:
            raise TimeUp
        return max(MIN_TIMEOUT, min(left, seconds))


def describe_wait(exchange: Exchange) -> str:
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


_GRACE = 2.0
"""Seconds that the answer gets once somebody has interrupted."""


def hold_interrupts(*requests: Request) -> AbstractContextManager[None]:
    """Delay an interrupt until the responses to requests that may create something have been noted.

    It takes effect after `_GRACE` seconds at the latest, and at once if it comes again. Python interrupts nothing
    but the main thread, so in others there is nothing to hold back.
    """
    return hold_all() if any(request.method == "POST" for request in requests) else nullcontext()


@contextmanager
def hold_all() -> Iterator[None]:
    """Let an interrupt take effect at the end of the block, when what it started has an owner that ends it."""
    held: dict[int, Callable[[int, FrameType | None], Any]] = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        held = {number: handler for number, handler in handlers.items() if callable(handler)}
    if not held:
        yield
        return
    came: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        _disarm()
        came.clear()
        held[number](number, frame)

    def hold(number: int, frame: FrameType | None) -> None:
        if came:
            pass_on(number, frame)
        came.append(number)
        # After the grace, where the system has an unused timer.
        if hasattr(signal, "setitimer") and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL:
            signal.signal(signal.SIGALRM, lambda _, frame: pass_on(number, frame))
            signal.setitimer(signal.ITIMER_REAL, _GRACE)

    for number in held:
        signal.signal(number, hold)
    try:
        yield
    finally:
        _disarm()
        for number, handler in held.items():
            signal.signal(number, handler)
        if came:
            held[came[0]](came[0], None)


def _disarm() -> None:
    """End the grace, and leave other timers alone."""
    if hasattr(signal, "setitimer") and getattr(signal.getsignal(signal.SIGALRM), "__module__", "") == __name__:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def take_until_done(
    outbox: queue.Queue[Item | BaseException | None], workers: int, patience: Callable[[], float | None]
) -> Iterator[Item]:
    """The items that workers put into a queue, until each has put None. Raises an exception of a worker.

    Ends early when nothing comes for `patience()` seconds, at once if these are 0 or less; None waits forever.
    """
    while workers:
        seconds = patience()
        if seconds is not None and seconds <= 0:
            return
        try:
            item = outbox.get(timeout=0.5 if seconds is None else seconds)
        except queue.Empty:
            if seconds is None:  # the run may have been halted in this half second
                continue
            return
        if item is None:
            workers -= 1
        elif isinstance(item, BaseException):
            raise item
        else:
            yield item
