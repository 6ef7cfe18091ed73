"""The driver of recording sessions: every request is counted, and the budget is kept."""

from __future__ import annotations

import pytest

from harness.engine.traffic.request_budget import CarefulDriver
from harness.engine.traffic.retries import said
from harness.outcome import Unmet
from harness.transport import ServiceDriver
from tests.engine.traffic.test_retries import ASK, TOLD, Refusing


def careful(service: Refusing, budget: int) -> tuple[CarefulDriver, list[str]]:
    """A careful driver to a service in this process, and the list of waits that it reports."""
    told: list[str] = []
    return CarefulDriver(ServiceDriver(service), budget, lambda _, refusal: told.append(said(refusal))), told


def test_waits_are_told_and_repetitions_counted() -> None:
    """A temporary refusal counts as a request and its wait is reported; the caller sees only the final answer."""
    driver, told = careful(Refusing(2, retry_after_ms="1"), budget=3)
    assert driver.send(ASK).status == 200
    assert (driver.sent, told) == (3, [TOLD] * 2)


@pytest.mark.parametrize("times", [0, 1000])
def test_the_budget_holds(times: int) -> None:
    """No request is sent beyond the budget, not even a repetition."""
    service = Refusing(times, retry_after_ms="1")
    driver, _ = careful(service, budget=2)
    with pytest.raises(Unmet, match="--max-requests"):
        _ = [driver.send(ASK) for _ in range(3)]
    assert service.asked == driver.sent == 2


def test_parallel_requests_count_each() -> None:
    """Parallel requests are not sent at all if the budget is too small for all of them."""
    service = Refusing(0)
    driver, _ = careful(service, budget=2)
    with pytest.raises(Unmet):
        driver.together([ASK] * 3)
    assert service.asked == 0
