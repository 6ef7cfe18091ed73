"""Patience of a search with a target that hangs, and a run's budget of time for one whose responses do not end.

Layer 4. A search sends thousands of requests, so it cannot wait a whole timeout for each that hangs. A call with
an earlier response gets `FACTOR` times the longest time that this took, at least `floor` seconds; before any
response, a request gets the whole timeout. Once a call hung, the next one gets less: that it hangs is known.

An answer that our own limits cut off costs the whole timeout of its request. A run sends hundreds of requests, so
a target that ends no answer would hold it for hours: a `TimeoutBudget` gives shorter timeouts after a few of them,
then sends nothing. An answer that ends by itself costs nothing here, however long it takes, so a slow target loses
nothing. Only answers cut off *in a row* count: one that ends restores the whole timeout.

Either way an answer that was cut off before the whole timeout, or whose request was not sent, proves nothing about
the target: an `excuse` notes that, and it must not be judged.
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
from harness.outcome.words import format_count
from harness.wire import By, Exchange, How, LiveStream, Request

FACTOR = 20.0
FLOOR = 2.0
"""Seconds that each call gets at least, until one like it hung."""

SHORTER = 8
"""By how much the floor is divided once such a call hung."""

LONGER = 4
"""By how much longer a hang is waited for before it is reported."""

UNKNOWN = 3
"""The factor for a call that was never answered, if others were."""

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
        return (
            exchange.with_excuse("an earlier request of this kind hung, so it had less time")
            if hurried
            else exchange
        )

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
        if record.longest is not None:
            return min(self._limit, max(floor, FACTOR * record.longest))
        known = [other.longest for other in self._records.values() if other.longest is not None]
        if not known:
            return self._limit
        return min(self._limit, UNKNOWN * max(floor, FACTOR * max(known)))


# How long to wait for what a target may show late: less, once waiting was in vain.
# A target may take a moment to show or to hide what was created or deleted, so a look is repeated for a while.
# If a defect is the reason, that would cost the whole while at every look of thousands. After a few looks in
# vain, the longest lag that was ever seen decides; before a failure is reported, it is waited for the whole
# while again.


MOST_IN_VAIN = 2
"""Looks in vain that get the whole while."""

LAG_FACTOR, LEAST = 4.0, 0.1
"""How many times the longest lag is waited for after that, and at least how many seconds."""


class Lag(Struct):
    """The lag in one search: the longest in seconds, and how many looks were in vain."""

    longest: float = 0.0
    in_vain: int = 0
    confirming: bool = False

    def shorten(self, seconds: float) -> float:
        """How long to repeat a look, where `seconds` is the whole while."""
        if self.confirming or self.in_vain < MOST_IN_VAIN:
            return seconds
        return min(seconds, max(LEAST, LAG_FACTOR * self.longest))

    def note(self, seconds: float, *, found: bool) -> None:
        """Learn from a look that was repeated for so many seconds."""
        if found:
            self.longest = max(self.longest, seconds)
        elif seconds > 0:
            self.in_vain += 1


FULL_TIMEOUTS = 3
"""Number of cut answers in a row after which requests get only one `PART`th of the timeout."""

PART = 6

MAX_CUT = 8
"""Number of cut answers in a row after which no request is sent that would wait for another one."""

FIRST, NEXT = 20.0, 10.0
"""The seconds that a nearby target gets for its first response, and at least for each later one."""

_TIMES = 20
"""In how many times what its slowest response took a nearby target has to return each other one."""

LARGE = 16_384
"""Bytes of a request beyond which other responses do not show how long one takes."""

_STREAM = re.compile(rb'"stream"\s*:\s*true')
_BACKGROUND = re.compile(rb'"background"\s*:\s*true')


class TimeoutLosses(Struct, frozen=True):
    """The losses of a run to responses that did not end.

    `answers` is how many our limits cut off, `seconds` is how long these took, and `hurried` is how many of them
    got less than the whole timeout. `first` describes the first of them. `unsent` requests were not sent at all.
    """

    answers: int = 0
    seconds: float = 0.0
    hurried: int = 0
    unsent: int = 0
    first: str = ""


class Grant(Struct, frozen=True):
    """The time granted to a request: why that, or the time until the head, was less than all, `""` if it was not.

    `alike` and `any` are how many cuts each of the two rows had counted when it was granted.
    """

    less: str
    head: str
    alike: int
    any: int


class _Row:
    """Counts consecutive answers that did not end; answers awaited at the same time count once."""

    def __init__(self) -> None:
        self.length = 0
        self.counted = 0

    def record(self, exchange: Exchange, since: int, *, ends: bool) -> None:
        """Count one more answer; `ends`: it shows that such answers end. A drop or our own close changes nothing.

        `since` is the number of cuts that had been counted when its request was sent.
        """
        if ends:
            self.length = 0
        elif _is_cut(exchange) and self.counted == since:
            self.length += 1
            self.counted += 1


class TimeoutBudget(DriverPolicy):
    """Counts for all drivers of one run; `seconds` is the whole timeout of one request.

    There is one row for all responses and one for each kind (the method, the stream, the background run). So a
    target whose streams never end still gets all other requests. A refusal does not end the row of its kind. A
    deletion is sent as long as deletions end, whatever else does not, because a run cleans up with them. Several
    threads may share one.

    The other responses of a target that is `nearby` show how long one takes: if one takes far longer, it hangs.
    What `may_last` is a stream that waits for the end of a run: of these, only the head is expected soon.
    """

    def __init__(
        self, seconds: float, *, nearby: bool = False, may_last: Callable[[Request], bool] = lambda request: False
    ) -> None:
        self.losses = TimeoutLosses()
        self._seconds = seconds
        self._nearby = nearby
        self._may_last = may_last
        self._slowest: float | None = None
        self._alike: defaultdict[tuple[str, bool, bool], _Row] = defaultdict(_Row)
        self._any = _Row()
        self._lock = threading.Lock()

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Grant each request its timeout, at most the one it has; one that must not be sent counts as unsent."""
        for attempt in attempts:
            self._grant(attempt)
        return 0.0

    def _grant(self, attempt: Attempt) -> None:
        request, timeout = attempt.request, attempt.timeout
        with self._lock:
            alike = self._alike[_classify(request)]
            longest = max(alike.length, self._any.length)
            if (alike.length if request.method == "DELETE" else longest) >= MAX_CUT:
                self.losses = replace(self.losses, unsent=self.losses.unsent + 1)
                attempt.withheld = f"not sent: {MAX_CUT} responses in a row did not end in time"
                return
            early = self._seconds if len(request.body) > LARGE else self._choose_early()
            lasts = self._may_last(request)
            whole = self._seconds if lasts else early
            part, hurries = whole / PART, whole < self._seconds
            full, whole_time = (1, False) if hurries else (FULL_TIMEOUTS, attempt.parallel)
            before, head = "", ""
            if longest >= full and (timeout is None or timeout > part) and not whole_time:
                attempt.timeout = part
                before = f"after {format_count(longest, 'response')} in a row that did not end, "
                before += f"its limit was {part:.3g} s"
            elif hurries and timeout is None:
                attempt.timeout = whole
                before = f"its limit was {whole:.3g} s, {self._explain_early()}"
            elif lasts and early < (timeout or self._seconds):
                attempt.head = early / PART if longest else early
                head = f"its limit until the first byte was {attempt.head:.3g} s, {self._explain_early()}"
            attempt.memo = Grant(before, head, alike.counted, self._any.counted)

    def _explain_early(self) -> str:
        if self._slowest is None:
            return "since it is the first response"
        return f"since no other one took longer than {self._slowest:.3g} s"

    def _choose_early(self) -> float:
        """The seconds in which another response would have come, as far as is known."""
        if not self._nearby:
            return self._seconds
        return min(self._seconds, FIRST if self._slowest is None else max(NEXT, _TIMES * self._slowest))

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Count how the exchange ended; it is excused if it was cut off before the whole timeout."""
        grant = attempt.memo
        if not isinstance(grant, Grant):
            return exchange
        with self._lock:
            alike = self._alike[_classify(exchange.request)]
            # A refusal does not end the row of its kind: it would have ended in any case.
            alike.record(exchange, grant.alike, ends=exchange.complete and exchange.succeeded)
            self._any.record(exchange, grant.any, ends=exchange.complete)
            if _is_cut(exchange):
                return self._add(exchange, grant.less or (grant.head if exchange.status is None else ""))
            request = exchange.request
            if exchange.status is not None and len(request.body) <= LARGE and not self._may_last(request):
                self._slowest = max(exchange.seconds, self._slowest or 0.0)
            return exchange

    def _add(self, exchange: Exchange, less: str) -> Exchange:
        if less and exchange.ending.how is How.TIMEOUT:
            exchange = exchange.with_excuse(less)
        first = f"{exchange.request.method} {exchange.request.raw_path}, after {exchange.seconds:.1f} s"
        self.losses = replace(
            self.losses,
            answers=self.losses.answers + 1,
            seconds=self.losses.seconds + exchange.seconds,
            hurried=self.losses.hurried + bool(exchange.excuse),
            first=self.losses.first or first,
        )
        return exchange


def is_stream(request: Request) -> bool:
    """Whether a request asks for a stream."""
    return request.parameter("stream") == "true" or _STREAM.search(request.body) is not None


def _classify(request: Request) -> tuple[str, bool, bool]:
    """The kind of a request; answers to requests of one kind can be expected to end alike."""
    return request.method, is_stream(request), _BACKGROUND.search(request.body) is not None


def _is_cut(exchange: Exchange) -> bool:
    return exchange.ending.by is By.LIMIT


class HurriedStreams(DriverPolicy):
    """Lets streams of runs end soon, those that are open as well, once it is known that no run settles.

    `is_of_a_run` decides by its request whether a stream waits for a run. One that the caller gave a timeout keeps
    it. A stream that is cut off proves nothing about the target. Several threads may share one.
    """

    def __init__(self, is_of_a_run: Callable[[Request], bool]) -> None:
        self._is_of_a_run = is_of_a_run
        self._less: tuple[float, str] | None = None
        self._waiting: dict[int, LiveStream | None] = {}
        self._lock = threading.Lock()

    def hurry(self, seconds: float, why: str) -> None:
        """Give each stream of a run so many seconds from now on."""
        with self._lock:
            self._less = seconds, why
            waiting = list(self._waiting.values())
        for stream in waiting:
            if stream is not None:
                stream.hurry(seconds)

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Give streams of runs less time, once that is known to be enough."""
        for attempt in attempts:
            if attempt.timeout is None and not attempt.parallel and self._is_of_a_run(attempt.request):
                with self._lock:
                    self._waiting[id(attempt)] = None
                    attempt.timeout = self._less[0] if self._less is not None else None
        return 0.0

    def note_stream(self, attempt: Attempt, stream: LiveStream) -> None:
        """Remember a stream of a run while it is read."""
        with self._lock:
            if id(attempt) not in self._waiting:
                return
            self._waiting[id(attempt)] = stream
            less = self._less
        if less is not None:
            stream.hurry(less[0])

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Excuse a stream that was cut off because no run settles."""
        with self._lock:
            waited = self._waiting.pop(id(attempt), attempt) is not attempt
            less = self._less
        return exchange.with_excuse(less[1]) if waited and less is not None and _is_cut(exchange) else exchange
