"""How long to go on: the bounds of following, all of them finite.

Layer 3. Numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds and counts. A connection that brought something new costs nothing, and the next follows at once.

    failures   attempts in a row that brought nothing new, before streaming, and then polling, is given up
    delay      the pause after the first of them; it doubles up to `longest`
    longest    the longest pause, also where the service asks for more (`Retry-After`)
    poll       the pause between two polls, once the interaction can only be polled
    waiting    all the pauses together
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
                raise ValueError(f"Patience({bound.name}={value!r}): every bound is a positive number")

    def pause(self, failures: int, asked: float | None = None) -> float:
        """The seconds to wait after so many failures in a row, or as many as the service asked for."""
        wanted = self.delay * 2 ** min(failures - 1, 30) if asked is None else asked
        return min(wanted, self.longest)
