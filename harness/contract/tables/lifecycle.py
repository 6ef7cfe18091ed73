"""The statuses of an interaction, and which may follow which. Layer 1.

The single source of that order: the emulator moves its runs by this table, and judges check a target's runs with
it. Only transitions out of in_progress are documented; the others follow from what the statuses mean, so breaking
them is at most a warning. The set of statuses is open: judges claim nothing about a status without a row. A status
that only a newer revision lists needs none: `read_lifecycle` lets runs end in it, as clients take it for an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

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


class TransitionTrigger(StrEnum):
    """The cause of a change from one status to the next."""

    START = "START"
    FINISH = "FINISH"
    FAIL = "FAIL"
    CANCEL = "CANCEL"
    NEEDS_ACTION = "NEEDS_ACTION"
    NEEDS_CONTINUATION = "NEEDS_CONTINUATION"
    STOP_SHORT = "STOP_SHORT"
    EXCEED_BUDGET = "EXCEED_BUDGET"


class Transition(Struct, frozen=True):
    """One row of the table: in `before`, `trigger` leads to `after`."""

    before: str
    trigger: str
    after: str
    basis: Basis


class LifecycleTable:
    """A table of transitions, and what follows from it."""

    def __init__(self, transitions: Iterable[Transition]) -> None:
        self.transitions = tuple(transitions)
        self._next = {(row.before, row.trigger): row.after for row in self.transitions}
        self._trigger = {row.after: row.trigger for row in self.transitions}
        self._reached = {status: frozenset(self._reach(status)) for status in STATUSES}

    @property
    def ends(self) -> tuple[str, ...]:
        """The statuses in which a run can end."""
        return tuple(status for status in self._trigger if status not in RUNNING)

    def next_status(self, status: str, trigger: str) -> str:
        """The status after `trigger`. Raises HarnessFault if it moves nothing that is in this status."""
        try:
            return self._next[status, trigger]
        except LookupError:
            moves = ", ".join(known for before, known in self._next if before == status) or "nothing"
            raise HarnessFault(f"{trigger} does not move a run that is {status}; what moves it: {moves}") from None

    def end(self, status: str, final: str) -> str:
        """The status after the trigger that leads to `final`. Raises HarnessFault if nothing leads there."""
        try:
            return self._next[status, self._trigger[final]]
        except LookupError:
            return self.next_status(status, self.trigger_of(final))

    def trigger_of(self, status: str) -> str:
        """The trigger that leads to `status`. Raises HarnessFault if none does."""
        try:
            return self._trigger[status]
        except LookupError:
            raise HarnessFault(f"nothing leads to {status!r}; statuses: {', '.join(self._trigger)}") from None

    def may_follow(self, before: str, after: str) -> bool | None:
        """Whether a poll may show `after` once an earlier one showed `before`; None if either is not listed.

        A poll may miss statuses between the two.
        """
        if before not in STATUSES or after not in STATUSES:
            return None
        return before == after or after in self._reached[before]

    def format_rows(self) -> Iterator[str]:
        """The table for people, one line per row."""
        for row in self.transitions:
            yield f"{row.before:<15} {row.trigger:<26} → {row.after}   ({row.basis})"

    def _reach(self, status: str) -> Iterator[str]:
        """All statuses that transitions lead to from `status`, in one or more steps; there is no circle."""
        for row in self.transitions:
            if row.before == status:
                yield row.after
                yield from self._reach(row.after)


LIFECYCLE = LifecycleTable(
    (
        Transition(QUEUED, TransitionTrigger.START, IN_PROGRESS, Basis.INFERRED),
        Transition(QUEUED, TransitionTrigger.CANCEL, CANCELLED, Basis.INFERRED),
        Transition(IN_PROGRESS, TransitionTrigger.FINISH, COMPLETED, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, TransitionTrigger.FAIL, FAILED, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, TransitionTrigger.CANCEL, CANCELLED, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, TransitionTrigger.NEEDS_ACTION, REQUIRES_ACTION, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, TransitionTrigger.NEEDS_CONTINUATION, REQUIRES_CONTINUATION, Basis.INFERRED),
        Transition(IN_PROGRESS, TransitionTrigger.STOP_SHORT, INCOMPLETE, Basis.INFERRED),
        Transition(IN_PROGRESS, TransitionTrigger.EXCEED_BUDGET, BUDGET_EXCEEDED, Basis.INFERRED),
    )
)
"""What may come next, by which trigger, and on what basis."""

may_follow = LIFECYCLE.may_follow


def read_statuses(schemas: Schemas) -> tuple[str, ...]:
    """The statuses that a revision lists."""
    return tuple(schemas.document("interaction-status")["x-known-values"])


def read_lifecycle(schemas: Schemas) -> LifecycleTable:
    """The table of a revision: `LIFECYCLE`, and a row for each listed status that it does not have."""
    added = [status for status in read_statuses(schemas) if status not in STATUSES]
    if not added:
        return LIFECYCLE
    rows = (Transition(IN_PROGRESS, f"END_AS_{status.upper()}", status, Basis.INFERRED) for status in added)
    return LifecycleTable((*LIFECYCLE.transitions, *rows))


def is_settled(status: object) -> bool:
    """Whether polling may stop: true for every status, known or not, except the running ones."""
    return isinstance(status, str) and bool(status) and status not in RUNNING
