"""Time as a value: only arriving requests and finished pauses move it, never a reader's speed.

Layer 0. No module below `transport` may ask the operating system for the time; each is given a `Clock`.
"""

from __future__ import annotations

from threading import Lock
from typing import Protocol

TICK = 0.002
"""Seconds by which an arriving request moves logical time; a socket carrier really sleeps this long for a tick."""


class Clock(Protocol):
    """Counts seconds since its own start; never goes back."""

    @property
    def now(self) -> float: ...

    @property
    def tick_seconds(self) -> float: ...

    @property
    def speed(self) -> float:
        """Seconds of this clock in one second of the machine: how much faster a carrier plays a pause."""

    def tick(self) -> None:
        """Record that a request arrived."""

    @property
    def skipped(self) -> float:
        """How many of its seconds a client has slept without waiting (`LogicalClock.skip_to`)."""

    def reached(self, moment: float) -> None:
        """Record that a pause due to end at `moment` is over; several readers never count the same time twice."""


class LogicalClock:
    """The clock of tests: deterministic, and never waits. Threads may share it."""

    __slots__ = ("_lock", "_now", "skipped", "speed", "tick_seconds")

    def __init__(self, *, tick_seconds: float = TICK, speed: float = 1.0) -> None:
        if tick_seconds <= 0:
            raise ValueError(
                f"tick_seconds={tick_seconds!r} must be positive: it is how far one request moves time"
            )
        if speed <= 0:
            raise ValueError(f"speed={speed!r} must be positive: 60 plays a minute of this clock in a second")
        self._now = 0.0
        self._lock = Lock()
        self.skipped = 0.0
        self.tick_seconds = tick_seconds
        self.speed = speed

    @property
    def now(self) -> float:
        """Seconds since this clock was created."""
        return self._now

    def tick(self) -> None:
        """Move by one tick: a request arrived."""
        with self._lock:
            self._now += self.tick_seconds

    def reached(self, moment: float) -> None:
        """Move to `moment` unless time is already past it."""
        with self._lock:
            self._now = max(self._now, moment)

    def skip_to(self, moment: float) -> None:
        """Move to `moment`, like `reached`, because a client's sleep that ends then was skipped."""
        with self._lock:
            self.skipped += max(0.0, moment - self._now)
            self._now = max(self._now, moment)
