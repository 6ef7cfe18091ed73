"""Whose fault it is, in the type: the target's, the harness's own, or the way it was called.

Layer 0. A fault of the target is normally a finding and never raised; `Unmet` is the one exception that an
`exercise` may raise, and it means that the target gave no chance to look.
"""

from __future__ import annotations


class HarnessFault(Exception):
    """The harness itself erred; nothing is said of the target."""


class UsageFault(Exception):
    """The harness was called wrongly; the message says what came, why it is wrong and what to do."""


class TargetFault(Exception):
    """The target is unreachable or refuses us altogether; there is nothing to judge."""


class Unmet(Exception):
    """A prerequisite that the target does not meet: the check that raised it is untestable.

    `race_lost` says that no promise was broken: the run was simply over before the check could act.
    """

    def __init__(self, reason: str, *, race_lost: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.race_lost = race_lost
