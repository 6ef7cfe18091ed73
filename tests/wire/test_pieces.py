"""Logical time advances with requests and finished pauses and never runs backwards."""

from __future__ import annotations

import pytest

from harness.wire import TICK, LogicalClock


def test_a_request_is_one_tick() -> None:
    """Each request advances the clock by one tick; between requests time stands still."""
    clock = LogicalClock()
    clock.tick()
    clock.tick()
    assert clock.now == pytest.approx(2 * TICK)


def test_readers_do_not_count_a_pause_twice() -> None:
    """Reaching the same moment twice, or an earlier one, does not advance the clock again."""
    clock = LogicalClock()
    for moment in (1.0, 1.0, 0.5):
        clock.reached(moment)
    assert clock.now == 1.0


@pytest.mark.parametrize("seconds", [0, -1.0])
def test_a_tick_moves_time(seconds: float) -> None:
    """A clock whose tick is zero or negative cannot be created."""
    with pytest.raises(ValueError, match="must be positive"):
        LogicalClock(tick_seconds=seconds)
