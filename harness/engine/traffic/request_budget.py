"""A driver for a session with a budget of requests: counts them, and waits when the target asks for it.

Layer 4. Knows the budget; `polite` knows what "come again later" means. Repetitions count against the budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.engine.traffic.retries import Patience, PoliteDriver, Told
from harness.outcome import Unmet
from harness.wire import Driver, Exchange, LiveStream, Request

BUDGET_SPENT = "the budget of requests is spent: --max-requests allows no more"


class CarefulDriver(PoliteDriver):
    """A polite driver. Raises Unmet(BUDGET_SPENT) instead of sending more than `budget` requests."""

    def __init__(self, driver: Driver, budget: int, told: Told) -> None:
        self._counting = _CountingDriver(driver, budget)
        super().__init__(self._counting, Patience(math.inf, told))

    @property
    def sent(self) -> int:
        """Requests that were sent, repetitions included."""
        return self._counting.sent


class _CountingDriver:
    """A `Driver` around another that counts requests, and stops at its budget."""

    def __init__(self, driver: Driver, budget: int) -> None:
        self._driver = driver
        self._budget = budget
        self.sent = 0

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        self._count(1)
        return self._driver.send(request, timeout=timeout)

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        self._count(1)
        return self._driver.open(request, timeout=timeout)

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        self._count(len(requests))
        return self._driver.together(requests)

    def wait(self, seconds: float) -> None:
        self._driver.wait(seconds)

    def close(self) -> None:
        self._driver.close()

    def _count(self, requests: int) -> None:
        if self.sent + requests > self._budget:
            raise Unmet(BUDGET_SPENT)
        self.sent += requests
