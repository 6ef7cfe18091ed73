"""The statuses of an interaction, and which may follow which. Layer 1.

The single source of that order: the emulator moves its runs by this table, and judges check a target's runs with
it. Only transitions out of in_progress are documented; the others follow from what the statuses mean, so breaking
them is at most a warning. The set of statuses is open: nothing is claimed about a status that is not listed.
"""

from __future__ import annotations

from harness.outcome import Basis

QUEUED = "queued"
IN_PROGRESS = "in_progress"
REQUIRES_ACTION = "requires_action"
REQUIRES_CONTINUATION = "requires_continuation"
COMPLETED = "completed"
FAILED = "failed"
CANCELLED = "cancelled"
INCOMPLETE = "incomplete"
BUDGET_EXCEEDED = "budget_exceeded"

RUNNING = frozenset({QUEUED, IN_PROGRESS})
"""The service is still working, or will be: poll again."""

TERMINAL = frozenset({COMPLETED, FAILED, CANCELLED, INCOMPLETE, BUDGET_EXCEEDED})
"""The interaction is over, and the client is not expected to continue it either."""

WAITING = frozenset({REQUIRES_ACTION, REQUIRES_CONTINUATION})
"""This interaction is over, and the client is expected to create the next one."""

SETTLED = TERMINAL | WAITING
"""The interaction itself no longer changes."""

STATUSES = RUNNING | SETTLED

TRANSITIONS: dict[str, dict[str, Basis]] = {
    QUEUED: dict.fromkeys((IN_PROGRESS, *sorted(SETTLED)), Basis.INFERRED),
    IN_PROGRESS: {
        COMPLETED: Basis.DOCUMENTED,
        FAILED: Basis.DOCUMENTED,
        CANCELLED: Basis.DOCUMENTED,
        REQUIRES_ACTION: Basis.DOCUMENTED,
        REQUIRES_CONTINUATION: Basis.INFERRED,
        INCOMPLETE: Basis.INFERRED,
        BUDGET_EXCEEDED: Basis.INFERRED,
    },
    **{status: {} for status in sorted(SETTLED)},
}
"""What may come next, and on what basis. A poll may skip a state, so queued leads to every other status."""


def is_settled(status: object) -> bool:
    """Whether polling may stop: true for every status, known or not, except the running ones."""
    return isinstance(status, str) and bool(status) and status not in RUNNING


def may_follow(before: str, after: str) -> bool | None:
    """Whether a poll may show `after` once an earlier one showed `before`; None if either status is not listed."""
    if before not in STATUSES or after not in STATUSES:
        return None
    return before == after or after in TRANSITIONS[before]
