"""The pace: no second holds more requests than the rate, however they are sent."""

from __future__ import annotations

import math
import random

import pytest

from harness.engine.events import format_refusal
from harness.engine.traffic.governed_driver import Attempt, GovernedDriver
from harness.engine.traffic.outages import Retries
from harness.engine.traffic.traffic_policy import Pacing, RequestBudget
from harness.outcome import Unmet
from harness.transport import ServiceDriver
from harness.wire import Exchange, LogicalClock, Request
from tests.engine.toys import ToyService
from tests.engine.traffic.test_retries import ASK, TOLD, Refusing

LOOK = Request("GET", "/v1beta/interactions/x")


class Clock:
    """A clock whose time passes only by waiting."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [0.5, 3.0, 10.0])
def test_no_second_holds_more_than_the_rate(rate: float, seed: int) -> None:
    """No window of a second that begins with a request holds more than the rate, with or without idle times."""
    clock, chance = Clock(), random.Random(seed)
    pace = Pacing(rate, clock)
    moments = []
    for _ in range(50):
        clock.now += chance.choice([0.0, 0.0, 0.1, 2.0])
        together = chance.randint(1, max(1, int(rate)))
        clock.now += pace.before([Attempt(Request("GET", "/"))] * together)
        moments += [clock.now] * together
    window = max(1.0, 1.0 / rate)
    most = max(sum(begin <= moment < begin + window - 1e-6 for moment in moments) for begin in moments)
    assert most <= max(1, rate)


class Waits(ServiceDriver):
    """A driver that records its waits."""

    def __init__(self) -> None:
        super().__init__(ToyService(), LogicalClock())
        self.waited = 0.0

    def wait(self, seconds: float) -> None:
        self.waited += seconds
        super().wait(seconds)


def test_every_way_of_sending_takes_its_turn() -> None:
    """A request, an open stream and parallel requests all keep to the rate."""
    inside, clock = Waits(), Clock()
    driver = GovernedDriver(inside, [Pacing(1.0, clock)])
    answers: list[Exchange] = [driver.send(LOOK), driver.open(LOOK).finish(), *driver.together([LOOK, LOOK])]
    assert [answer.status for answer in answers] == [404] * 4
    assert inside.waited == pytest.approx(0 + 1 + 3)


# --- a search waits for what is shown late, but not again and again for what is never shown


# --- patience with hangs: what was quick before is not waited for long, and what got too little is not accused


# --- the driver of recording sessions: every request is counted, and the budget is kept


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
