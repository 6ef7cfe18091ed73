"""How long a run waits for responses, and when it sends a request again.

`Retries` are for a service that limits its callers: they wait when the target requests a pause, up to a bound. The
caller does not see a rejection that was waited out, only the final response. To see the refusals themselves, name
them in `Send.sees`. Must not know checks, scenarios or files.

`Patience` is for a search, which sends thousands of requests and cannot wait a whole timeout for each that hangs.
A call with an earlier response gets `FACTOR` times the longest time that this took, at least `floor` seconds;
before any response, a request gets the whole timeout. Once a call hung, the next one gets less: that it hangs is
known. A response that was cut before the whole timeout, or whose request was not sent, proves nothing about the
target: an `excuse` notes that, and it must not be judged.

`TimeoutBudget` is for a run, in which each response may take the whole timeout. After `IN_A_ROW` responses of one
kind that took longer, no more requests of that kind are sent, as a target that ends none of hundreds would hold
the run for hours.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy
from harness.wire import By, Exchange, How, Request
from harness.wire.bodies import object_or_none
from harness.wire.delivery import is_delivery
from harness.wire.message import retry_after

LATER = frozenset({429, 503})
"""Statuses with which a service asks its callers to retry later."""

MAX_WAIT = 70.0
"""The longest single wait in seconds: enough for a quota per minute; a quota per day is not waited for."""

MAX_TOTAL_WAIT = 300.0
"""The default limit, in seconds, for all waits of a run together."""

_LEAST = {429: (0.0, 0.0, 4.0, 8.0, 16.0, 30.0), 503: (0.0, 0.0, 4.0)}
"""Minimum seconds before each retry if the refusal names a time; they grow, since that time may be too short."""

_GUESS = {429: (1.0, 2.0, 4.0, 8.0, 16.0, 30.0), 503: (1.0, 2.0, 4.0)}
"""Seconds before each retry if the refusal names no time: in all a quota's minute, or a short overload."""

_SPENT = frozenset({"quota_exceeded"})
"""Error codes of a quota that is not refilled before another day."""

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
    pauses = (_GUESS if named is None else _LEAST)[exchange.status]
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


def excuse_mishap(exchange: Exchange) -> Exchange:
    """A copy of a mishap with the reason why it proves nothing."""
    how = f"returned {exchange.status}" if exchange.complete else f"was cut ({exchange.ending.words})"
    return exchange.with_excuse(f"it {how} once, and not again")


def excuse_outage(exchange: Exchange) -> Exchange:
    """A response that was cut by a target that is gone, with that as the reason why it proves nothing."""
    return exchange.with_excuse("the target stopped responding")


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
"""Responses of one kind that do not end in time, after which no more of this kind is waited for."""

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
    """Counts consecutive responses of one kind that did not end; those awaited at the same time count once."""

    def __init__(self) -> None:
        self.length = 0
        self.counted = 0


class TimeoutBudget(DriverPolicy):
    """Counts, for all drivers of one run, the responses in a row that did not end; several threads may share one.

    There is a row for each kind: the method, and whether it is a stream or a background run. So a target whose
    streams never end still gets all other requests. A refusal does not end the row of its kind, as it would have
    ended in any case; a drop or our own close changes nothing, nor does a request with a limit of its own. That is
    always sent: it is short, or confirms another one, or shows that the target lives.
    """

    def __init__(self) -> None:
        self.losses = TimeoutLosses()
        self._rows: defaultdict[tuple[str, bool, bool], _Row] = defaultdict(_Row)
        self._lock = threading.Lock()

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Withhold a request whose kind does not end; it counts as unsent."""
        for attempt in attempts:
            with self._lock:
                row = self._rows[classify(attempt.request)]
                attempt.memo = row.counted if attempt.timeout is None else None
                if row.length >= IN_A_ROW and attempt.timeout is None:
                    self.losses = replace(self.losses, unsent=self.losses.unsent + 1)
                    attempt.withheld = f"not sent: {IN_A_ROW} responses of this kind in a row did not end in time"
        return 0.0

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Count how the exchange ended."""
        with self._lock:
            row = self._rows[classify(exchange.request)]
            if exchange.complete and exchange.succeeded:
                row.length = 0
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
        return exchange


def classify(request: Request) -> tuple[str, bool, bool]:
    """The kind of a request; answers to requests of one kind can be expected to end alike."""
    is_stream = request.parameter("stream") == "true" or _STREAM.search(request.body) is not None
    return request.method, is_stream, _BACKGROUND.search(request.body) is not None
