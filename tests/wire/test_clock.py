"""Logical time: moved by requests and finished pauses, never back."""

from __future__ import annotations

import pytest

from harness.wire import TICK, LogicalClock


def test_a_request_is_one_tick() -> None:
    """Time stands still between requests."""
    clock = LogicalClock()
    clock.tick()
    clock.tick()
    assert clock.now == pytest.approx(2 * TICK)


def test_readers_do_not_count_a_pause_twice() -> None:
    """Two readers that wait for the same moment move time there once; an earlier moment moves nothing."""
    clock = LogicalClock()
    for moment in (1.0, 1.0, 0.5):
        clock.reached(moment)
    assert clock.now == 1.0


@pytest.mark.parametrize("seconds", [0, -1.0])
def test_a_tick_moves_time(seconds: float) -> None:
    """A tick of nothing is refused at the door."""
    with pytest.raises(ValueError, match="must be positive"):
        LogicalClock(tick_seconds=seconds)
