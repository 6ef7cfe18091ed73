"""The wall clock moves by itself only."""

from __future__ import annotations

import time

from harness.transport import WallClock


def test_only_time_moves_it() -> None:
    """Ticks and pauses that are over add nothing; waiting does."""
    clock = WallClock()
    clock.tick()
    clock.reached(1000.0)
    before = clock.now
    assert 0 <= before < 100
    end = time.monotonic() + 0.01
    while time.monotonic() < end:
        pass
    assert clock.now >= before + 0.01
