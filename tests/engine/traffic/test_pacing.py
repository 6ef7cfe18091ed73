"""The pace: no second holds more requests than the rate, however they are sent."""

from __future__ import annotations

import random

import pytest

from harness.engine.traffic.governed_driver import Attempt, GovernedDriver
from harness.engine.traffic.traffic_policy import Pacing
from harness.transport import ServiceDriver
from harness.wire import Exchange, LogicalClock, Request
from tests.engine.toys import ToyService

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
