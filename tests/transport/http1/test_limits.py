"""Limits can be overridden for one exchange."""

from __future__ import annotations

from harness.transport import Limits


def test_within_bounds_the_whole_exchange() -> None:
    """A timeout replaces every wait, even a shorter one, but only shortens connecting; None changes nothing."""
    limits = Limits(connect_seconds=2, idle_seconds=1)
    longer = limits.within(900)
    assert (longer.total_seconds, longer.idle_seconds, longer.head_seconds, longer.connect_seconds) == (
        900,
        900,
        900,
        2,
    )
    assert limits.within(1).connect_seconds == 1
    assert limits.within(None) is limits
    assert limits.within(3).name_wait("idle_seconds") == "3 s for the whole request"
    told = Limits(option="--timeout").within(3).name_wait("idle_seconds")
    assert told == "3 s for the whole request, --timeout gives more"
