"""How long to wait for what a target may show late: less, once waiting was in vain.

Layer 4. A target may take a moment to show or to hide what was created or deleted, so a look is repeated for a
while. If a defect is the reason, that would cost the whole while at every look of thousands. After a few looks in
vain, the longest lag that was ever seen decides; before a failure is reported, it is waited for the whole while
again.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_IN_VAIN = 2
"""Looks in vain that get the whole while."""

FACTOR, LEAST = 4.0, 0.1
"""How many times the longest lag is waited for after that, and at least how many seconds."""


@dataclass(slots=True)
class Lag:
    """What one search has seen: the longest lag in seconds, and how many looks were in vain."""

    longest: float = 0.0
    in_vain: int = 0
    confirming: bool = False

    def shorten(self, seconds: float) -> float:
        """How long to repeat a look, where `seconds` is the whole while."""
        if self.confirming or self.in_vain < MOST_IN_VAIN:
            return seconds
        return min(seconds, max(LEAST, FACTOR * self.longest))

    def note(self, seconds: float, *, found: bool) -> None:
        """Learn from a look that was repeated for so many seconds."""
        if found:
            self.longest = max(self.longest, seconds)
        elif seconds > 0:
            self.in_vain += 1
