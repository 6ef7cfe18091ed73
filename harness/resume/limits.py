"""How long to keep trying: the limits of `follow`.

Layer 3. Numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLimits:
    """Limits in seconds and counts. After a connection that yielded new events, the next follows at once.

    failures   consecutive attempts without new events after which streaming, and later polling, is given up
    delay      the pause after the first such attempt; it doubles with each further one, up to `longest`
    longest    the longest pause, even if the service asks for more (`Retry-After`)
    poll       the pause between two polls once the interaction can only be polled
    waiting    the total of all pauses
    """

    failures: int = 6
    delay: float = 0.5
    longest: float = 8.0
    poll: float = 3.0
    waiting: float = 3600.0

    def __post_init__(self) -> None:
        for bound in fields(self):
            value = getattr(self, bound.name)
            if not value > 0:
                raise ValueError(f"RetryLimits({bound.name}={value!r}): every bound is a positive number")

    def pause(self, failures: int, asked: float | None = None) -> float:
        """Return the seconds to wait after `failures` in a row, or the seconds `asked` for; at most `longest`."""
        wanted = self.delay * 2 ** min(failures - 1, 30) if asked is None else asked
        return min(wanted, self.longest)
