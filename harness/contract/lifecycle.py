"""The statuses of an interaction, and which may follow which. Layer 1.

The single source of that order: the emulator moves its runs by this table, judges hold a target's to it. Only
transitions out of in_progress are documented; the others follow from what the statuses mean, so that a breach
of them is at most a warning. The set of statuses is open: of one that is not listed nothing is claimed.
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
"""The service is still at work, or will be: poll again."""

TERMINAL = frozenset({COMPLETED, FAILED, CANCELLED, INCOMPLETE, BUDGET_EXCEEDED})
"""Nothing follows, not even from the client."""

WAITING = frozenset({REQUIRES_ACTION, REQUIRES_CONTINUATION})
"""This interaction is over, and the client is expected to create the next one."""

SETTLED = TERMINAL | WAITING
"""The interaction itself changes no more."""

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
"""What may come next, and what that rests on. A poll may skip a state, so queued leads everywhere."""


def is_settled(status: object) -> bool:
    """Whether polling may stop: any status but the running ones, known or not."""
    return isinstance(status, str) and bool(status) and status not in RUNNING


def may_follow(before: str, after: str) -> bool | None:
    """Whether a look at `after` may follow a look at `before`; None when either status is not listed."""
    if before not in STATUSES or after not in STATUSES:
        return None
    return before == after or after in TRANSITIONS[before]
