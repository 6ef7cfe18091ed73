"""The times of the service, as RFC 3339 in UTC: logical seconds since a fixed day, or since now.

Layer 2. Knows the calendar; must not ask the operating system for the time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from harness.wire import Clock

DAY_ONE = datetime(2026, 6, 9, tzinfo=UTC)
"""The start of logical time: the first day on which only the present generation of the API existed."""


class Timestamps:
    """Gives the current time as text; caches the text of the current second, which every create needs."""

    __slots__ = ("_clock", "_second", "_text", "offset", "start")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._text = ""
        self.start = self.offset = DAY_ONE.timestamp()
        """Added to the clock, whose seconds start anywhere: `start` for fields, `offset` for signatures."""

    def read_unix(self) -> int:
        """Return the time that a signature names, in unix seconds."""
        return int(self.offset + self._clock.now)

    def read_clock(self, moment: datetime) -> float:
        """Return the seconds of the clock at a moment of logical time."""
        return moment.timestamp() - self.start

    def now(self) -> str:
        """Return the time as `2026-06-09T00:00:00Z`, in whole seconds as the service writes it."""
        second = int(self.start + self._clock.now)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._text


def later(moment: str, **lapse: float) -> str:
    """Return the time after a lapse, such as `hours=48`, with fractions of a second only if there are any."""
    then = datetime.fromisoformat(moment) + timedelta(**lapse)
    return then.isoformat().replace("+00:00", "Z")


def has_come(moment: str, now: str) -> bool:
    """Whether it is `moment` already."""
    return datetime.fromisoformat(now) >= datetime.fromisoformat(moment)
