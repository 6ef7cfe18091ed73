"""A driver around another one, governed by policies (pace, retries, timeouts), and the policy that ends a run.

The actions of `wire.Driver` are governed here, once. A policy only decides what happens before requests are sent
and after each exchange has ended. The driver knows no policy in particular.

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
from functools import partial
from itertools import count
from types import FrameType
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from harness.outcome.words import format_count
from harness.wire import (
    At,
    By,
    Collect,
    Driver,
    DriverAction,
    Ending,
    Exchange,
    ExchangeBuilder,
    Frame,
    Headers,
    How,
    LiveStream,
    Open,
    Request,
    Send,
    Together,
    Wait,
)
from harness.wire.sse import Decoder


class Attempt(Struct):
    """One request that is about to be sent, and what the policies decide about it.

    `timeout` is in seconds, None for the driver's own. `parallel` requests are sent together, and get the longest
    of their timeouts. A `bounded` one has only the time that is left of the run. If `withheld` is not empty, it is
    the reason why the request is not sent. `memo` is the memory of one policy between `before` and `after`.
    """

    request: Request
    timeout: float | None = None
    parallel: bool = False
    bounded: bool = False
    withheld: str = ""
    memo: object = None


class DriverPolicy:
    """Governs the traffic of all drivers that share it; each policy overrides only what it cares about."""

    retried: frozenset[int] = frozenset()
    """Statuses after which it may want a request to be repeated."""

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Decide about requests that are sent at once; return the seconds to wait before they are sent.

        Raises Unmet or TimeUp if nothing more may be sent at all.
        """
        return 0.0

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Note an exchange that has ended; return it, or a copy with an `excuse` if it proves nothing."""
        return exchange

    def note_answer(self) -> None:
        """Note that the target returned a response that does not have to be repeated."""

    def retry_delay(self, refusals: Sequence[Exchange], number: int) -> float | None:
        """Seconds until retry `number` (from 0) of requests that were all refused; None: they are not repeated."""
        return None

    def bound_wait(self, seconds: float) -> float:
        """Shorten a wait of so many seconds. Raises TimeUp if there is no time left."""
        return seconds


class GovernedDriver(Driver):
    """A `wire.Driver` that sends through another one, as its policies allow.

    Policies are asked in their order before a request, and in reverse order after it. Closing this driver closes
    the inner one if it is `owned`.
    """

    def __init__(self, driver: Driver, policies: Sequence[DriverPolicy], *, owned: bool = True) -> None:
        self._driver = driver
        self._policies = tuple(policies)
        self._owned = owned
        self._retried = frozenset().union(*(policy.retried for policy in policies))

    def perform(self, action: DriverAction) -> Any:
        """Perform an action through the inner driver, as the policies allow."""
        match action:
            case Send():
                return self._send(action)
            case Open():
                return self._open(action)
            case Together():
                return self._send_together(action)
            case Wait(seconds):
                with self._within_bounds(seconds) as allowed:
                    return self._driver.wait(allowed)
            case Collect(_, _, seconds):
                with self._within_bounds(seconds) as allowed:
                    return self._driver.perform(msgspec.structs.replace(action, seconds=allowed))
            case _:
                return self._driver.perform(action)

    def close(self) -> None:
        """Close the inner driver, unless it has another owner."""
        if self._owned:
            self._driver.close()

    def _send(self, action: Send) -> Exchange:
        """Send one request; a refusal is returned only if it is not worth waiting for, or the caller `sees` it."""
        for number in count():
            attempt = Attempt(action.request, action.timeout)
            if self._admit([attempt]):
                answer = self._driver.perform(Send(action.request, attempt.timeout))
                exchange = self._conclude(attempt, answer)
            else:
                exchange = not_sent(action.request, attempt.withheld)
            if not self._wait_to_retry([exchange], number, action.sees):
                break
        return exchange

    def _open(self, action: Open) -> LiveStream:
        for number in count():
            attempt = Attempt(action.request, action.timeout)
            stream: LiveStream
            if self._admit([attempt]):
                inner = self._driver.perform(Open(attempt.request, attempt.timeout))
                stream = _GovernedStream(inner, partial(self._conclude, attempt))
                if stream.status is None:
                    stream.finish()
            else:
                stream = _UnsentStream(not_sent(attempt.request, attempt.withheld))
            if stream.status not in self._retried:
                self._note_answers([stream.status])
                break
            if not self._wait_to_retry([stream.finish()], number):
                break
        return stream

    def _send_together(self, action: Together) -> list[Exchange]:
        """Send all at once, or none if one must not be sent; repeat them only if all were refused."""
        for number in count():
            attempts = [Attempt(request, parallel=True) for request in action.requests]
            if self._admit(attempts):
                timeout = max((one.timeout for one in attempts if one.timeout is not None), default=None)
                answers = self._driver.perform(msgspec.structs.replace(action, timeout=timeout))
                exchanges = [self._conclude(*pair) for pair in zip(attempts, answers, strict=True)]
            else:
                why = next(attempt.withheld for attempt in attempts if attempt.withheld)
                exchanges = [not_sent(request, why) for request in action.requests]
            if not self._wait_to_retry(exchanges, number):
                break
        return exchanges

    @contextmanager
    def _within_bounds(self, seconds: float) -> Iterator[float]:
        """Yield how many of the seconds the policies allow, and ask them once more when they have passed."""
        for policy in self._policies:
            seconds = policy.bound_wait(seconds)
        yield seconds
        for policy in self._policies:
            policy.bound_wait(0.0)

    def _admit(self, attempts: Sequence[Attempt]) -> bool:
        """Ask the policies, and wait as they want; whether the requests may be sent."""
        for policy in self._policies:
            pause = policy.before(attempts)
            if any(attempt.withheld for attempt in attempts):
                return False
            if pause > 0:
                self._driver.wait(pause)
        return True

    def _conclude(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        for policy in reversed(self._policies):
            exchange = policy.after(attempt, exchange)
        return exchange

    def _wait_to_retry(
        self, exchanges: Sequence[Exchange], number: int, sees: frozenset[int] = frozenset()
    ) -> bool:
        """Wait if a retry is due, and return whether it is; refusals of only some requests are an answer."""
        statuses = [exchange.status for exchange in exchanges]
        if not exchanges or any(status not in self._retried or status in sees for status in statuses):
            self._note_answers(statuses)
            return False
        delays = [policy.retry_delay(exchanges, number) for policy in self._policies]
        due = [delay for delay in delays if delay is not None]
        if due:
            self.wait(max(due))
        return bool(due)

    def _note_answers(self, statuses: Sequence[int | None]) -> None:
        if any(status is not None for status in statuses):
            for policy in self._policies:
                policy.note_answer()


class _GovernedStream:
    """A `wire.LiveStream` whose finished exchange is concluded once, before any caller sees it."""

    def __init__(self, stream: LiveStream, conclude: Callable[[Exchange], Exchange]) -> None:
        self._stream = stream
        self._conclude = conclude
        self._exchange: Exchange | None = None

    @property
    def status(self) -> int | None:
        return self._stream.status

    @property
    def headers(self) -> Headers:
        return self._stream.headers

    @property
    def ended(self) -> bool:
        return self._stream.ended

    def read(self, events: int) -> list[Frame]:
        frames = self._stream.read(events)
        if self._stream.ended:
            self.finish()
        return frames

    def hurry(self, seconds: float) -> None:
        self._stream.hurry(seconds)

    def finish(self) -> Exchange:
        return self._conclude_once(self._stream.finish)

    def close(self) -> Exchange:
        return self._conclude_once(self._stream.close)

    def _conclude_once(self, end: Callable[[], Exchange]) -> Exchange:
        if self._exchange is None:
            self._exchange = self._conclude(end())
        return self._exchange


class _UnsentStream:
    """The `wire.LiveStream` of a request that was not sent."""

    status = None
    ended = True

    def __init__(self, exchange: Exchange) -> None:
        self.headers = Headers()
        self._exchange = exchange

    def read(self, events: int) -> list[Frame]:
        return []

    def hurry(self, seconds: float) -> None:
        pass

    def finish(self) -> Exchange:
        return self._exchange

    def close(self) -> Exchange:
        return self._exchange


def not_sent(request: Request, why: str) -> Exchange:
    """The record of a request that we decided not to send: no answer, and no time spent."""
    ending = Ending(By.LIMIT, How.TIMEOUT, At.BEFORE_HEADERS, detail=why)
    return ExchangeBuilder(request).finish(ending, 0.0).with_excuse(why)


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
                wanted = self._limit if attempt.timeout is None else attempt.timeout
                attempt.timeout = self._cap(wanted)
                attempt.bounded = attempt.timeout < wanted
        return 0.0

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Return the exchange, unless it was our own end of time that cut it off."""
        # The timer may have got a grace meanwhile, in which another worker deletes what it made.
        ours = attempt.bounded and exchange.ending.how is How.TIMEOUT
        if exchange.ending.by is By.LIMIT and (ours or self._timer.left <= MIN_TIMEOUT):
            raise TimeUp(f"the time limit was reached when {describe_wait(exchange)}", exchange.seconds, exchange)
        return exchange

    def bound_wait(self, seconds: float) -> float:
        """Wait no longer than time is left."""
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
