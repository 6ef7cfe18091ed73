"""The statuses of an interaction, and which may follow which.

The single source of that order: the emulator moves its runs by this table, and judges check a target's runs with
it. Only transitions out of in_progress are documented; the others follow from what the statuses mean, so breaking
them is at most a warning. The set of statuses is open: judges claim nothing about a status without a row. A status
that only a newer revision lists needs none: `read_lifecycle` lets runs end in it, as clients take it for an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from harness.contract.schema.schemas import Schemas
from harness.outcome import Basis, HarnessFault

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

RENAMED_STATUSES = {"done": COMPLETED}
"""Statuses from before May 2026, with the names of today."""


class Transition(Struct, frozen=True):
    """One row of the table: `after` may come next after `before`."""

    before: str
    after: str
    basis: Basis


class LifecycleTable:
    """A table of transitions, and what follows from it."""

    def __init__(self, transitions: Iterable[Transition]) -> None:
        self.transitions = tuple(transitions)
        self._next = {(row.before, row.after) for row in self.transitions}
        self._reached = {status: frozenset(self._reach(status)) for status in STATUSES}

    @property
    def ends(self) -> tuple[str, ...]:
        """The statuses in which a run can end."""
        return tuple(dict.fromkeys(row.after for row in self.transitions if row.after not in RUNNING))

    def end(self, status: str, final: str) -> str:
        """The status `final`, in which a run ends. Raises HarnessFault if a run that is `status` cannot."""
        if (status, final) not in self._next:
            ways = ", ".join(after for before, after in self._next if before == status) or "nothing"
            raise HarnessFault(f"{final!r} does not follow {status!r}; what may follow it: {ways}")
        return final

    def may_follow(self, before: str, after: str) -> bool | None:
        """Whether a poll may show `after` once an earlier one showed `before`; None if either is not listed.

        A poll may miss statuses between the two.
        """
        if before not in STATUSES or after not in STATUSES:
            return None
        return before == after or after in self._reached[before]

    def _reach(self, status: str) -> Iterator[str]:
        """All statuses that transitions lead to from `status`, in one or more steps; there is no circle."""
        for row in self.transitions:
            if row.before == status:
                yield row.after
                yield from self._reach(row.after)


LIFECYCLE = LifecycleTable(
    (
        Transition(QUEUED, IN_PROGRESS, Basis.INFERRED),
        Transition(QUEUED, CANCELLED, Basis.INFERRED),
        Transition(IN_PROGRESS, COMPLETED, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, FAILED, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, CANCELLED, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, REQUIRES_ACTION, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, REQUIRES_CONTINUATION, Basis.INFERRED),
        Transition(IN_PROGRESS, INCOMPLETE, Basis.INFERRED),
        Transition(IN_PROGRESS, BUDGET_EXCEEDED, Basis.INFERRED),
    )
)
"""What may come next, and on what basis."""

may_follow = LIFECYCLE.may_follow


def read_statuses(schemas: Schemas) -> tuple[str, ...]:
    """The statuses that a revision lists."""
    return tuple(schemas.document("interaction-status")["x-known-values"])


def read_lifecycle(schemas: Schemas) -> LifecycleTable:
    """The table of a revision: `LIFECYCLE`, and a row for each listed status that it does not have."""
    added = [status for status in read_statuses(schemas) if status not in STATUSES]
    if not added:
        return LIFECYCLE
    rows = (Transition(IN_PROGRESS, status, Basis.INFERRED) for status in added)
    return LifecycleTable((*LIFECYCLE.transitions, *rows))


def is_settled(status: object) -> bool:
    """Whether polling may stop: true for every status, known or not, except the running ones."""
    return isinstance(status, str) and bool(status) and status not in RUNNING
