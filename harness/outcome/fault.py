"""Exceptions whose type says whose fault it is: the target's, the harness's own, or the caller's.

Layer 0. A fault of the target is normally a finding and is not raised. `Unmet` is the only exception that an
`exercise` may raise; it means that the target gave the check nothing to judge.
"""

from __future__ import annotations

from harness.outcome.finding import Because


class HarnessFault(Exception):
    """The harness itself failed; this says nothing about the target."""


class UsageFault(Exception):
    """The harness was called incorrectly; the message says what was given, why it is wrong and what to do."""


class TargetFault(Exception):
    """The target is unreachable or refuses every request; there is nothing to judge."""


class Unmet(Exception):
    """The target does not meet a prerequisite, so the check that raised this is untestable.

    `race_lost` means that no promise was broken: the run merely finished before the check could act. `remedy` says
    what would make the check testable ("with a key").
    """

    def __init__(self, reason: str, *, race_lost: bool = False, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.race_lost = race_lost
        self.remedy = remedy

    @property
    def because(self) -> Because:
        """The kind of reason."""
        return Because.RACE_LOST if self.race_lost else Because.LACKING


class NotWanted(Exception):
    """The user left out what an exercise is about."""


class NotApplicable(Exception):
    """The target lacks what an exercise or a judge is about, and nothing is wrong with that."""
