"""How a run behaves towards its target: its rate, its budget of requests, and how long it waits to retry.

Puts the policies of one run together; all its drivers share them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from harness.engine.traffic.deadline import Deadline
from harness.engine.traffic.governed_driver import Attempt, DriverPolicy, GovernedDriver
from harness.engine.traffic.outages import MAX_TOTAL_WAIT, Outages, ReportWait, Retries
from harness.outcome import Unmet
from harness.wire import Driver

# Keeps to a rate: so many requests per second, over all drivers of a run.
# Knows when the next request may be sent; must not know what is sent or what comes back.


class Pacing(DriverPolicy):
    """Shared by all drivers of a run. `rate` is in requests per second; `clock` is in seconds and monotonic."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1.0 / rate
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Reserve a turn for each request, at least one; return the seconds until the last turn comes."""
        turns = max(len(attempts), 1)
        with self._lock:
            now = self._clock()
            moment = max(now, self._next) + (turns - 1) * self._gap
            self._next = moment + turns * self._gap
            return moment - now


# A budget of requests: counts what is sent, repetitions included, and stops at its limit.


BUDGET_SPENT = "the budget of requests (--max-requests) is used up"


class RequestBudget(DriverPolicy):
    """At most `limit` requests; `sent` is how many there were."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.sent = 0

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Count the requests. Raises Unmet(BUDGET_SPENT) instead of sending more than the limit."""
        if self.sent + len(attempts) > self._limit:
            raise Unmet(BUDGET_SPENT)
        self.sent += len(attempts)
        return 0.0


class TrafficPolicy(Struct, frozen=True, kw_only=True):
    """`rate` is in requests per second, None for no limit; `max_wait` is in seconds for the whole run.

    `report_wait` is called before each wait, on the thread that waits.
    """

    rate: float | None = None
    max_wait: float = MAX_TOTAL_WAIT
    report_wait: ReportWait | None = None

    def wrapper(
        self, retries: Retries, deadline: Deadline | None = None, outages: Outages | None = None
    ) -> Callable[[Driver], Driver]:
        """The wrapper for each driver of one run; without `outages` each answer gets the whole timeout."""
        policies: list[DriverPolicy] = [retries, *([outages, outages.timeouts] if outages is not None else [])]
        policies += [deadline] if deadline is not None else []
        if self.rate is not None:
            policies.append(Pacing(self.rate))
        return lambda driver: GovernedDriver(driver, policies)
