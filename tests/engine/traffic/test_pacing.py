"""The pace: no second holds more requests than the rate, however they are sent."""

from __future__ import annotations

import math
import random

import pytest

from harness.engine.traffic.governed_driver import Attempt, GovernedDriver
from harness.engine.traffic.patience import (
    FLOOR,
    LAG_FACTOR,
    LEAST,
    LONGER,
    MOST,
    MOST_IN_VAIN,
    SHORTER,
    UNKNOWN,
    Lag,
    Pace,
    Patience,
)
from harness.engine.traffic.retries import Retries, format_refusal
from harness.engine.traffic.traffic_policy import Pacing, RequestBudget
from harness.outcome import Unmet
from harness.transport import ServiceDriver
from harness.wire import At, By, Ending, Exchange, ExchangeBuilder, How, LogicalClock, Request
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
        clock.now += pace.reserve(together)
        moments += [clock.now] * together
    window = max(1.0, 1.0 / rate)
    most = max(sum(begin <= moment < begin + window - 1e-6 for moment in moments) for begin in moments)
    assert most <= max(1, rate)


def test_the_first_request_need_not_wait() -> None:
    """A run that is slower than its rate never waits."""
    clock = Clock()
    pace = Pacing(2.0, clock)
    assert pace.reserve() == 0.0
    clock.now = 10.0
    assert pace.reserve() == 0.0
    assert pace.reserve() == 0.5


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


def test_looks_in_vain_make_it_impatient() -> None:
    """After a few looks in vain, a look is repeated only for some times the longest lag ever seen."""
    lag = Lag()
    lag.note(0.5, found=True)
    for _ in range(MOST_IN_VAIN):
        assert lag.shorten(5.0) == 5.0
        lag.note(5.0, found=False)
    assert lag.shorten(5.0) == LAG_FACTOR * 0.5


def test_a_target_without_lag_is_hardly_waited_for() -> None:
    """Where nothing ever lagged behind, little is waited; before a failure is reported, all of it again."""
    lag = Lag(in_vain=MOST_IN_VAIN)
    assert lag.shorten(5.0) == LEAST
    lag.confirming = True
    assert lag.shorten(5.0) == 5.0


def test_a_look_that_was_not_repeated_teaches_nothing() -> None:
    """A look that needed no waiting, and one that could not wait, leave the lag as it is."""
    lag = Lag()
    lag.note(0.0, found=True)
    lag.note(0.0, found=False)
    assert lag == Lag()


# --- patience with hangs: what was quick before is not waited for long, and what got too little is not accused


def patience() -> Patience:
    """Patience of at most a minute; the method names the call."""
    return Patience(lambda request: request.method, 60.0)


def hung(method: str, seconds: float) -> Exchange:
    """A request that was given up after so many seconds."""
    ending = Ending(By.LIMIT, How.TIMEOUT, At.BEFORE_HEADERS)
    return ExchangeBuilder(Request(method, "/v1beta/interactions")).finish(ending, seconds)


def test_nothing_is_known_before_the_first_answer() -> None:
    assert patience().timeout("GET") == 60.0


@pytest.mark.parametrize(("took", "granted"), [(0.01, FLOOR), (1.0, 20.0), (30.0, 60.0)])
def test_a_call_gets_some_times_what_it_took(took: float, granted: float) -> None:
    """A call gets twenty times its longest answer, at least the floor and at most the timeout."""
    ours = patience()
    ours.note("GET", took, hung=False)
    assert ours.timeout("GET") == granted
    assert ours.timeout("POST") == min(60.0, UNKNOWN * granted)


def test_the_second_hang_is_waited_for_briefly_and_excused() -> None:
    """Once a call hung, the next gets less; if that hangs, nothing is said of it."""
    ours = patience()
    ours.note("GET", 0.01, hung=False)
    first = ours.after(Attempt(hung("GET", FLOOR).request), hung("GET", FLOOR))
    assert first.excuse == ""
    assert ours.timeout("GET") == FLOOR / SHORTER
    assert "less time" in ours.after(Attempt(first.request), hung("GET", FLOOR / SHORTER)).excuse


def test_to_confirm_a_hang_takes_longer_than_to_find_it() -> None:
    """While a hang is shrunk, a short one counts; before it is reported, it is waited for longer than ever."""
    ours = patience()
    ours.note("GET", 0.01, hung=False)
    ours.note("GET", FLOOR, hung=True)
    ours.pace = Pace.SHRINKING
    assert not ours.note("GET", ours.timeout("GET"), hung=True)
    ours.pace = Pace.CONFIRMING
    assert ours.timeout("GET") == LONGER * FLOOR


def test_a_call_that_was_never_answered_is_given_up() -> None:
    ours = patience()
    for _ in range(MOST):
        ours.note("DELETE", 60.0, hung=True)
        ours.note("GET", 60.0, hung=True)
    ours.note("GET", 0.1, hung=False)
    attempts = [Attempt(hung(method, 0.0).request) for method in ("DELETE", "GET")]
    ours.before(attempts)
    assert "without a response" in attempts[0].withheld
    assert attempts[1].withheld == ""


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


def test_parallel_requests_count_each() -> None:
    service = Refusing(0)
    driver, _, _ = governed(service, limit=2)
    with pytest.raises(Unmet):
        driver.together([ASK] * 3)
    assert service.asked == 0
