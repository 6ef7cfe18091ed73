"""The driver of recording sessions: every request is counted, and the budget is kept."""

from __future__ import annotations

import math

import pytest

from harness.engine.traffic.governed_driver import GovernedDriver
from harness.engine.traffic.retries import Retries, format_refusal
from harness.engine.traffic.traffic_policy import RequestBudget
from harness.outcome import Unmet
from harness.transport import ServiceDriver
from tests.engine.traffic.test_retries import ASK, TOLD, Refusing


def governed(service: Refusing, limit: int) -> tuple[GovernedDriver, RequestBudget, list[str]]:
    """A driver with a budget to a service in this process, the budget, and the list of waits that it reports."""
    waits: list[str] = []
    retries = Retries(math.inf, lambda _, refusal: waits.append(format_refusal(refusal)))
    budget = RequestBudget(limit)
    return GovernedDriver(ServiceDriver(service), [retries, budget]), budget, waits


def test_waits_are_told_and_repetitions_counted() -> None:
    """A temporary refusal counts as a request and its wait is reported; the caller sees only the final answer."""
    driver, budget, waits = governed(Refusing(2, retry_after_ms="1"), limit=3)
    assert driver.send(ASK).status == 200
    assert (budget.sent, waits) == (3, [TOLD] * 2)


@pytest.mark.parametrize("times", [0, 1000])
def test_the_budget_holds(times: int) -> None:
    """No request is sent beyond the budget, not even a repetition."""
    service = Refusing(times, retry_after_ms="1")
    driver, budget, _ = governed(service, limit=2)
    with pytest.raises(Unmet, match="--max-requests"):
        _ = [driver.send(ASK) for _ in range(3)]
    assert service.asked == budget.sent == 2


def test_parallel_requests_count_each() -> None:
    service = Refusing(0)
    driver, _, _ = governed(service, limit=2)
    with pytest.raises(Unmet):
        driver.together([ASK] * 3)
    assert service.asked == 0
