"""A budget of requests: counts what is sent, repetitions included, and stops at its limit. Layer 4."""

from __future__ import annotations

from collections.abc import Sequence

from harness.engine.traffic.governed_driver import Attempt, DriverPolicy
from harness.outcome import Unmet

BUDGET_SPENT = "the budget of requests is spent: --max-requests allows no more"


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
