"""A budget of time for a target whose answers do not end: shorter timeouts after a few of them, then no requests.

Layer 4. An answer that our own limits cut off costs the whole timeout of its request. A run sends hundreds of
requests, so a target that ends no answer would hold it for hours. An answer that ends by itself costs nothing
here, however long it takes, so a slow target loses nothing. Only answers cut off *in a row* count: one that ends
restores the whole timeout. An answer that was cut off before the whole timeout, or whose request was not sent,
says nothing about the target: its `excuse` says so, and it must not be judged.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy
from harness.wire import By, Exchange, How, Request

FULL_TIMEOUTS = 3
"""Number of cut answers in a row after which requests get only one `PART`th of the timeout."""

PART = 6

MAX_CUT = 8
"""Number of cut answers in a row after which no request is sent that would wait for another one."""

_STREAM = re.compile(rb'"stream"\s*:\s*true')


@dataclass(frozen=True, slots=True)
class TimeoutLosses:
    """What a run lost to answers that did not end.

    `answers` is how many our limits cut off, `seconds` is how long these took, and `hurried` is how many of them
    got less than the whole timeout. `first` describes the first of them. `unsent` requests were not sent at all.
    """

    answers: int = 0
    seconds: float = 0.0
    hurried: int = 0
    unsent: int = 0
    first: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted to a request: `less` than the whole timeout, or all of it.

    `alike` and `any` are how many cuts each of the two rows had counted when it was granted.
    """

    less: bool
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

    There is one row for all answers and one for each kind (the method, and whether a stream was asked for). So a
    target whose streams never end is still asked for everything else. A refusal does not end the row of its kind.
    A deletion is sent as long as deletions end, whatever else does not, because that is how a run cleans up.
    Several threads may share one.
    """

    def __init__(self, seconds: float) -> None:
        self.losses = TimeoutLosses()
        self._less = seconds / PART
        self._alike: defaultdict[tuple[str, bool], _Row] = defaultdict(_Row)
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
            shortened = longest >= FULL_TIMEOUTS and (timeout is None or timeout > self._less)
            less = shortened and not attempt.parallel
            attempt.timeout = self._less if less else timeout
            attempt.memo = Grant(less, alike.counted, self._any.counted)

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
            return self._add(exchange, less=grant.less) if _is_cut(exchange) else exchange

    def _add(self, exchange: Exchange, *, less: bool) -> Exchange:
        if less and exchange.ending.how is How.TIMEOUT:
            why = f"after {FULL_TIMEOUTS} responses in a row that did not end, its limit was {self._less:g} s"
            exchange = exchange.with_excuse(why)
        first = f"{exchange.request.method} {exchange.request.raw_path}, after {exchange.seconds:.1f} s"
        self.losses = replace(
            self.losses,
            answers=self.losses.answers + 1,
            seconds=self.losses.seconds + exchange.seconds,
            hurried=self.losses.hurried + bool(exchange.excuse),
            first=self.losses.first or first,
        )
        return exchange


def _classify(request: Request) -> tuple[str, bool]:
    """The kind of a request; answers to requests of one kind can be expected to end alike."""
    return request.method, request.parameter("stream") == "true" or _STREAM.search(request.body) is not None


def _is_cut(exchange: Exchange) -> bool:
    return exchange.ending.by is By.LIMIT
