"""A driver around another one, governed by policies; and the policy that every run has, against endless responses.

The actions of `wire.Driver` are governed here, once. A policy only decides what happens before requests are sent
and after each exchange has ended. The driver knows no policy in particular. Must not know checks, scenarios or
files. The other policies are `Deadline`, `Retries` and `Outages`, and for a search `Patience`.

`TimeoutBudget` is for a run, in which each response may take the whole timeout. After `IN_A_ROW` responses of one
form that took longer, no more requests of that form are sent, as a target that ends none of hundreds would hold
the run for hours. Requests of a form that is known not to end get less time before that.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from harness.engine.events import TimeoutLosses
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
        """Note an exchange that has ended; return it, with an `excuse` if it proves nothing."""
        return exchange

    def release(self) -> None:
        """Let others go on that waited for the end of an action of this thread, if any did."""

    def retry_delay(self, refusals: Sequence[Exchange], number: int) -> float | None:
        """Seconds until retry `number` (from 0) of requests that were all refused; None: they are not repeated."""
        return None

    def bound_wait(self, seconds: float) -> float:
        """Shorten a wait of `seconds`. Raises TimeUp if there is no time left."""
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
        try:
            return self._perform(action)
        finally:
            for policy in self._policies:
                policy.release()

    def _perform(self, action: DriverAction) -> Any:
        match action:
            case Send():
                return self._send(action, [action.request], action.sees)[0]
            case Open():
                return self._open(action)
            case Together():
                return self._send(action, action.requests)
            case Wait(seconds):
                with self._within_bounds(seconds) as allowed:
                    return self._driver.wait(allowed)
            case Collect(_, _, seconds):
                with self._within_bounds(seconds) as allowed:
                    return self._driver.perform(replace(action, seconds=allowed))
            case _:
                return self._driver.perform(action)

    def close(self) -> None:
        """Close the inner driver, unless it has another owner."""
        if self._owned:
            self._driver.close()

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
            if stream.status not in self._retried or not self._wait_to_retry([stream.finish()], number):
                break
        return stream

    def _send(
        self, action: Send | Together, requests: Sequence[Request], sees: Set[int] = frozenset()
    ) -> list[Exchange]:
        """Send all at once, or none if one must not be sent; repeat them only if all were refused.

        A refusal is returned only if it is not worth waiting for, or the caller `sees` it.
        """
        parallel = isinstance(action, Together)
        for number in count():
            attempts = [Attempt(request, action.timeout, parallel) for request in requests]
            if self._admit(attempts):
                timeout = max((one.timeout for one in attempts if one.timeout is not None), default=None)
                answer = self._driver.perform(replace(action, timeout=timeout))
                answers = answer if parallel else [answer]
                exchanges = [self._conclude(*pair) for pair in zip(attempts, answers, strict=True)]
            else:
                why = next(attempt.withheld for attempt in attempts if attempt.withheld)
                exchanges = [not_sent(request, why) for request in requests]
            if not self._wait_to_retry(exchanges, number, sees):
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

    def _wait_to_retry(self, exchanges: Sequence[Exchange], number: int, sees: Set[int] = frozenset()) -> bool:
        """Wait if a retry is due, and return whether it is; refusals of only some requests are an answer."""
        if not exchanges or any(one.status not in self._retried or one.status in sees for one in exchanges):
            return False
        delays = [policy.retry_delay(exchanges, number) for policy in self._policies]
        due = [delay for delay in delays if delay is not None]
        if due:
            self._perform(Wait(max(due)))
        return bool(due)


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


CHANCE = "such a request is not without an end each time"

IN_A_ROW = 3
"""Responses of one form that do not end in time, after which no more of this form is waited for."""

_STREAM = re.compile(rb'"stream"\s*:\s*true')
_BACKGROUND = re.compile(rb'"background"\s*:\s*true')


class _Row(Struct):
    """Counts consecutive responses of one form that did not end; those awaited at the same time count once.

    `seconds` is the time that the next one gets, None for the whole timeout.
    """

    length: int = 0
    counted: int = 0
    seconds: float | None = None


class TimeoutBudget(DriverPolicy):
    """Counts, for all drivers of one run, the responses in a row that did not end; several threads may share one.

    There is a row for each form, or of any path while nothing has ended. So a target whose streams never end
    still gets all other requests, and one that never ends anything only a few. A refusal does not end the row
    of its form, as it would have ended in any case; a drop or our own close changes nothing, nor does a
    request with a limit of its own. That is always sent: it is short, or confirms another one.
    """

    def __init__(self) -> None:
        self.losses = TimeoutLosses()
        self._rows: defaultdict[Form, _Row] = defaultdict(_Row)
        self._has_ended = False
        self._lock = threading.Lock()

    def _find_row(self, request: Request) -> _Row:
        form = classify(request)
        return self._rows[form if self._has_ended else (form[0], (), 0, *form[3:])]

    def shorten(self, hung: Exchange) -> None:
        """Give requests of a form that does not end any more little time, until one ends."""
        row = self._find_row(hung.request)
        row.length, row.seconds = 0, max(1.0, hung.seconds / 10)

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Withhold a request whose form does not end; it counts as unsent."""
        for attempt in attempts:
            with self._lock:
                row = self._find_row(attempt.request)
                attempt.memo = row.counted if attempt.timeout is None else None
                if row.length >= IN_A_ROW and attempt.timeout is None:
                    self.losses = replace(self.losses, unsent=self.losses.unsent + 1)
                    attempt.withheld = f"not sent: {IN_A_ROW} responses of this kind in a row did not end in time"
                attempt.timeout = row.seconds if attempt.timeout is None else attempt.timeout
        return 0.0

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Count how the exchange ended; excuse one that had less time."""
        with self._lock:
            row = self._find_row(exchange.request)
            if exchange.complete and exchange.succeeded:
                row.length, row.seconds, self._has_ended = 0, None, True
            elif exchange.ending.by is By.LIMIT:
                if row.counted == attempt.memo:
                    row.length += 1
                    row.counted += 1
                first = f"{exchange.request.method} {exchange.request.raw_path}, after {exchange.seconds:.1f} s"
                self.losses = replace(
                    self.losses,
                    answers=self.losses.answers + 1,
                    seconds=self.losses.seconds + exchange.seconds,
                    first=self.losses.first or first,
                )
        return exchange if row.seconds is None or not exchange.hung else exchange.with_excuse(CHANCE)


Form: TypeAlias = tuple[str, tuple[str, ...], int, bool, bool]


def classify(request: Request) -> Form:
    """The form of a request: method, path without names, stream, background. These end alike."""
    is_stream = request.parameter("stream") == "true" or _STREAM.search(request.body) is not None
    is_background, segments = _BACKGROUND.search(request.body) is not None, request.segments
    return request.method, segments[1::2], len(segments), is_stream, is_background
