"""Only the passing of time moves the wall clock."""

from __future__ import annotations

from harness.transport import WallClock


def test_only_time_moves_it() -> None:
    """Ticks and finished pauses do not move the clock; its source does."""
    moments = iter([100.0, 100.5, 107.0])
    clock = WallClock(source=lambda: next(moments))
    clock.tick()
    clock.reached(1000.0)
    assert (clock.now, clock.now) == (0.5, 7.0)
