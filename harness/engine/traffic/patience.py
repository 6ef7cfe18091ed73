"""How long a search waits for a call that may hang, and for a resource that may lag.

`Patience` is for a search, which sends thousands of requests and cannot wait a whole timeout for each that hangs.
A call with an earlier response gets `FACTOR` times the longest time that this took, at least `floor` seconds;
before any response, a request gets the whole timeout. Once a call hung, the next one gets less: that it hangs is
known. A response that was cut before the whole timeout, or whose request was not sent, proves nothing about the
target: an `excuse` notes that, and it must not be judged.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from enum import Enum

from msgspec import Struct

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy
from harness.wire import Exchange, Request

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
        """Learn how long a call takes; excuse one that hung, if it got less time than the first of its kind."""
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
