"""Patience with hangs: what was quick before is not waited for long, and what got too little is not accused."""

from __future__ import annotations

import pytest

from harness.engine.traffic.governed_driver import Attempt
from harness.engine.traffic.patience import FLOOR, LONGER, MOST, SHORTER, UNKNOWN, Pace, Patience
from harness.wire import At, By, Ending, Exchange, ExchangeBuilder, How, Request


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
