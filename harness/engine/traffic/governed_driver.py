"""A driver around another one, governed by policies, and those of time: the end of a run, retries, and timeouts.

The actions of `wire.Driver` are governed here, once. A policy only decides what happens before requests are sent
and after each exchange has ended. The driver knows no policy in particular. Must not know checks, scenarios or
files.

`Deadline` gives no request more time than is left. Between requests a search looks at the clock itself; `Deadline`
is for a request that hangs. A response that our own time limit cut short proves nothing about the target, so it is
never returned: `TimeUp` ends the run. An interrupt between a create and its response would leave behind an unknown
resource, so `hold_interrupts` waits for the response, which names the resource to delete later.

`Retries` are for a service that limits its callers: they wait when the target requests a pause, up to a bound. The
caller does not see a rejection that was waited out, only the final response. To see the refusals themselves, name
them in `Send.sees`.

`Patience` is for a search, which sends thousands of requests and cannot wait a whole timeout for each that hangs.
A call with an earlier response gets `FACTOR` times the longest time that this took, at least `floor` seconds;
before any response, a request gets the whole timeout. Once a call hung, the next one gets less: that it hangs is
known. A response that was cut before the whole timeout, or whose request was not sent, proves nothing about the
target: an `excuse` notes that, and it must not be judged.

`TimeoutBudget` is for a run, in which each response may take the whole timeout. After `IN_A_ROW` responses of one
form that took longer, no more requests of that form are sent, as a target that ends none of hundreds would hold
the run for hours. Requests of a form that is known not to end get less time before that.
"""

from __future__ import annotations

import math
import queue
import re
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum
from functools import partial
from itertools import count
from types import FrameType
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

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
from harness.wire.bodies import object_or_none
from harness.wire.delivery import is_delivery
from harness.wire.message import retry_after
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
        """Note an exchange that has ended; return it, with an `excuse` if it proves nothing."""
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
                # A stream may be open for longer than it is read, and be repeated for as long as it was open.
                wanted = self._limit if attempt.timeout is None else min(attempt.timeout, self._limit)
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


LATER = frozenset({429, 503})
"""Statuses with which a service asks its callers to retry later."""

MAX_WAIT = 70.0
"""The longest single wait in seconds: enough for a quota per minute; a quota per day is not waited for."""

MAX_TOTAL_WAIT = 300.0
"""The default limit, in seconds, for all waits of a run together."""

_LEAST_PAUSES = {429: (0.0, 0.0, 4.0, 8.0, 16.0, 30.0), 503: (0.0, 0.0, 4.0)}
"""Minimum seconds before each retry if the refusal names a time; they grow, since that time may be too short."""

_GUESSED_PAUSES = {429: (1.0, 2.0, 4.0, 8.0, 16.0, 30.0), 503: (1.0, 2.0, 4.0)}
"""Seconds before each retry if the refusal names no time: in all a quota's minute, or a short overload."""

_SPENT = frozenset({"quota_exceeded"})
"""Error codes of a quota that is not refilled before another day."""

CHANCE = "such a request is not without an end each time"

NO_TIME = "no time"
"""What `missing_answer` returns for an exchange that our own haste excuses."""

_CODE = re.compile(r"[a-z_]{1,60}", re.ASCII)

ReportWait = Callable[[float, Exchange], None]
"""Called before each wait with its seconds and the refusal that asked for it."""


class Waited(Struct, frozen=True):
    """The number of waits, and their seconds in all."""

    times: int = 0
    seconds: float = 0.0


class Retries(DriverPolicy):
    """Repeats requests after a temporary rejection; all drivers of a run wait at most `limit` seconds together.

    If the retries of one request are used up, no request is retried until the next response, so a target that went
    down is not waited for at each of the remaining requests. Several threads may share one.
    """

    retried = LATER

    def __init__(self, limit: float = MAX_TOTAL_WAIT, report_wait: ReportWait | None = None) -> None:
        self.waited = Waited()
        self._limit = limit
        self._report_wait = report_wait
        self._in_vain = False
        self._lock = threading.Lock()

    def note_answer(self) -> None:
        """The next refusal is worth waiting for again."""
        self._in_vain = False

    def retry_delay(self, refusals: Sequence[Exchange], number: int) -> float | None:
        """Reserve the wait, and report it. Several refusals share one, the longest."""
        refusal = max(refusals, key=lambda exchange: retry_delay(exchange, number) or 0.0)
        with self._lock:
            seconds = None if self._in_vain else retry_delay(refusal, number)
            if seconds is None or self.waited.seconds + seconds > self._limit:
                self._in_vain = self._in_vain or number > 0
                return None
            self.waited = Waited(self.waited.times + 1, self.waited.seconds + seconds)
        if self._report_wait is not None:
            self._report_wait(seconds, refusal)
        return seconds


def retry_delay(exchange: Exchange, number: int = 0) -> float | None:
    """Seconds to wait before retry `number` (from 0), or None if a retry is pointless.

    It is pointless if the status is not in `LATER`, if no time is named and the quota is exhausted for long, if
    the time named exceeds `MAX_WAIT`, or if all retries are used up.
    """
    if exchange.status not in LATER:
        return None
    named = retry_after(exchange.headers)
    if named is None and error_code(exchange) in _SPENT:
        return None
    pauses = (_GUESSED_PAUSES if named is None else _LEAST_PAUSES)[exchange.status]
    if number >= len(pauses) or (named or 0.0) > MAX_WAIT:
        return None
    return max(named or 0.0, pauses[number])


def is_cut(exchange: Exchange) -> bool:
    """Whether the target ended the connection before the answer had ended."""
    return exchange.ending.by is By.SERVER and exchange.ending.how in (How.FIN, How.RST)


def may_be_mishap(exchange: Exchange) -> bool:
    """Whether something between here and the target may be why a response is a crash, a limit or cut."""
    if exchange.status in (429, *range(500, 600)) and exchange.status != 501:
        return not is_delivery(exchange)
    return is_cut(exchange)


def is_crash(exchange: Exchange) -> bool:
    """Whether it may be a mishap, and is no limit of requests."""
    return may_be_mishap(exchange) and exchange.status not in LATER


def missing_answer(exchange: Exchange) -> str:
    """The event in place of a judgeable response: a status, or how it ended. `""` if there is a response.

    A limited rate, a crash, a lost connection and our own haste prove nothing about the request; 501 does.
    """
    if exchange.excuse and not may_be_mishap(exchange):
        return NO_TIME
    if is_delivery(exchange):
        return ""
    status, ending = exchange.status, exchange.ending
    if ending.by is not By.CLIENT and not exchange.complete:
        return "no response" if status is None else "a truncated response"
    if status == 429 or (status is not None and status >= 500 and status != 501):
        return str(status)
    return ""


def is_refusal(exchange: Exchange) -> bool:
    """Whether the target rejects the request for good: it does not offer the feature, which is its right."""
    status = exchange.status
    if status is None or not exchange.complete or status in (408, 429) or is_delivery(exchange):
        return False
    return 400 <= status < 500 or status == 501


def error_code(exchange: Exchange) -> str:
    """The code in an error's body, or `""`; never its message, which may quote a key."""
    error = (object_or_none(exchange.body) or {}).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def format_refusal(exchange: Exchange) -> str:
    """A refusal in a few words: the request, and the status and code of the answer."""
    code = error_code(exchange)
    answer = f"{exchange.status} ({code})" if code else f"{exchange.status}"
    return f"{exchange.request.method} {exchange.request.raw_path} returned {answer}"


FACTOR = 20.0
FLOOR = 2.0
"""Seconds that each call gets at least, until one like it hung."""

SHORTER = 8
"""By how much the floor is divided once such a call hung."""

LONGER = 4
"""By how much longer a hang is waited for before it is reported."""

MOST = 5
"""How often a call may hang that was never answered, before it is not sent any more."""


class Pace(Enum):
    """How long to wait for a hang, and its meaning: see `Patience`."""

    SEARCHING = "searching"
    SHRINKING = "shrinking"
    CONFIRMING = "confirming"


class _Record(Struct):
    """The record of one call: the longest time to a whole answer, and how often it hung."""

    longest: float | None = None
    hangs: int = 0


class Patience(DriverPolicy):
    """Decides how long to wait for each call; `limit` is the whole timeout. Several threads may share one.

    `call_of` names the call of a request; requests with the same name are expected to take alike. With the pace
    `SHRINKING`, a hang counts however short it was, as `CONFIRMING` will wait longer than ever before.
    """

    def __init__(self, call_of: Callable[[Request], str], limit: float, floor: float = FLOOR) -> None:
        self._call_of = call_of
        self._limit = limit
        self._floor = min(floor, limit)
        self.pace = Pace.SEARCHING
        self._records: defaultdict[str, _Record] = defaultdict(_Record)
        self._lock = threading.Lock()

    def given_up(self, call: str) -> bool:
        """Whether a call is not sent any more."""
        record = self._records[call]
        return record.longest is None and record.hangs >= MOST

    def timeout(self, call: str) -> float:
        """The seconds that the next such call gets."""
        if self.pace is Pace.CONFIRMING:
            return min(self._limit, LONGER * self._choose_seconds(self._records[call], hurried=False))
        return self._choose_seconds(self._records[call], hurried=self._records[call].hangs > 0)

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Give each request its time; withhold a call that hangs every time."""
        for attempt in attempts:
            call = self._call_of(attempt.request)
            if self.given_up(call):
                attempt.withheld = f"not sent: {call} hung {MOST} times without a response"
            else:
                seconds = self.timeout(call)
                attempt.timeout = seconds if attempt.timeout is None else min(seconds, attempt.timeout)
        return 0.0

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Learn from an exchange; excuse one that hung after less time than a first one gets."""
        call = self._call_of(exchange.request)
        hurried = self.note(call, exchange.seconds, hung=exchange.hung)
        why = "an earlier request of this kind hung, so it had less time"
        return exchange.with_excuse(why) if hurried else exchange

    def note(self, call: str, seconds: float, *, hung: bool) -> bool:
        """Learn how long an answer took, or that it hung; return whether it got too little time to say so."""
        with self._lock:
            record = self._records[call]
            if not hung:
                record.longest = max(seconds, record.longest or 0.0)
                return False
            record.hangs += 1
            hurried = seconds < 0.9 * self._choose_seconds(record, hurried=False) and record.hangs > 1
            return hurried and self.pace is Pace.SEARCHING

    def _choose_seconds(self, record: _Record, *, hurried: bool) -> float:
        floor = self._floor / SHORTER if hurried else self._floor
        return self._limit if record.longest is None else min(self._limit, max(floor, FACTOR * record.longest))


# A target may take a moment to show or to hide what was created or deleted, so a look is repeated for a while.
# If a defect is the reason, that would cost the whole while at every look of thousands.


MOST_IN_VAIN = 2
"""Looks in vain that get the whole while."""

LEAST = 0.5
"""The seconds that a look gets after that."""


class Lag(Struct):
    """The looks of one search: how many were in vain. One that confirms a failure gets the whole while again."""

    in_vain: int = 0
    confirming: bool = False

    def shorten(self, seconds: float) -> float:
        """How long to repeat a look, where `seconds` is the whole while."""
        return seconds if self.confirming or self.in_vain < MOST_IN_VAIN else min(seconds, LEAST)


IN_A_ROW = 3
"""Responses of one form that do not end in time, after which no more of this form is waited for."""

_STREAM = re.compile(rb'"stream"\s*:\s*true')
_BACKGROUND = re.compile(rb'"background"\s*:\s*true')


class TimeoutLosses(Struct, frozen=True):
    """The losses of a run to responses that did not end.

    `answers` is how many the timeout cut, `seconds` is how long these took, and `first` describes the first of
    them. `unsent` requests were not sent at all.
    """

    answers: int = 0
    seconds: float = 0.0
    unsent: int = 0
    first: str = ""


class _Row:
    """Counts consecutive responses of one form that did not end; those awaited at the same time count once.

    `seconds` is the time that the next one gets, None for the whole timeout.
    """

    def __init__(self) -> None:
        self.length = 0
        self.counted = 0
        self.seconds: float | None = None


class TimeoutBudget(DriverPolicy):
    """Counts, for all drivers of one run, the responses in a row that did not end; several threads may share one.

    There is a row for each form. So a target whose streams never end still gets all other requests. A refusal does
    not end the row of its form, as it would have ended in any case; a drop or our own close changes nothing, nor
    does a request with a limit of its own. That is always sent: it is short, or confirms another one.
    """

    def __init__(self) -> None:
        self.losses = TimeoutLosses()
        self._rows: defaultdict[Form, _Row] = defaultdict(_Row)
        self._lock = threading.Lock()

    def shorten(self, hung: Exchange) -> None:
        """Give requests of a form that does not end any more little time, until one ends."""
        row = self._rows[classify(hung.request)]
        row.length, row.seconds = 0, max(1.0, hung.seconds / 10)

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Withhold a request whose form does not end; it counts as unsent."""
        for attempt in attempts:
            with self._lock:
                row = self._rows[classify(attempt.request)]
                attempt.memo = row.counted if attempt.timeout is None else None
                if row.length >= IN_A_ROW and attempt.timeout is None:
                    self.losses = replace(self.losses, unsent=self.losses.unsent + 1)
                    attempt.withheld = f"not sent: {IN_A_ROW} responses of this kind in a row did not end in time"
                attempt.timeout = row.seconds if attempt.timeout is None else attempt.timeout
        return 0.0

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Count how the exchange ended; excuse one that had less time."""
        with self._lock:
            row = self._rows[classify(exchange.request)]
            if exchange.complete and exchange.succeeded:
                row.length, row.seconds = 0, None
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


Form: TypeAlias = tuple[str, bool, bool, tuple[str, ...], int]


def classify(request: Request) -> Form:
    """The form of a request: method, stream, background, path without names. These end alike."""
    is_stream = request.parameter("stream") == "true" or _STREAM.search(request.body) is not None
    is_background, segments = _BACKGROUND.search(request.body) is not None, request.segments
    return request.method, is_stream, is_background, segments[1::2], len(segments)
