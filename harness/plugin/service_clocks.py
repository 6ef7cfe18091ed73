"""The clocks of the services that a test uses: a sleep that is skipped is time that passes for them, too.

Layer 7. A sleep moves each of them to its own end, counted from its own begin. So sleeps side by side, and the
pauses of a stream meanwhile, are never counted twice, and the machine's speed counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.wire import LogicalClock

_followers: list[LogicalClock] = []


@contextmanager
def moved_by_sleeps(clock: LogicalClock) -> Iterator[None]:
    """While the block runs, skipped sleeps move this clock."""
    _followers.append(clock)
    try:
        yield
    finally:
        _followers.remove(clock)


def begin_sleep() -> Callable[[float], None]:
    """A sleep begins; call what this returns with the seconds of it that are over."""
    begun = [(clock, clock.now) for clock in _followers]

    def pass_time(seconds: float) -> None:
        for clock, begin in begun:
            clock.skip_to(begin + seconds)

    return pass_time
