"""The order of events in a stream, as a table: the events of each state, and the rules that others break.

The single source of order, as the schemas are of shape. `python -m harness.contract.tables` prints it. A row
has the next state after an event of one type, or the rule that its mere presence breaks; the stream is then judged
on from the row's next state, so that one defect is one finding. A condition on more than the type (an index, a
status, the type of a delta) is a guard: the row names it, `judge.stream_state` decides it.

A stream starts `fresh` (the response to a create), `replay` (a GET from the first event: the created event may
show a later status) or `resumed` (a GET after a cursor: it may begin inside a step).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

CREATED = "interaction.created"
STATUS = "interaction.status_update"
START = "step.start"
DELTA = "step.delta"
STOP = "step.stop"
COMPLETED = "interaction.completed"
ERROR = "error"
OTHER = "(other)"
"""An event of a type that has no row of its own."""
SENTINEL = "[DONE]"
END = "(end)"
"""The end of a body that ended in order."""

EVENTS = (CREATED, STATUS, START, DELTA, STOP, COMPLETED, ERROR)
"""The event types with rows of their own."""

RENAMED_EVENTS: Mapping[str, str] = {
    "interaction.start": CREATED,
    "content.start": START,
    "content.delta": DELTA,
    "content.stop": STOP,
    "interaction.complete": COMPLETED,
    "interaction.error": ERROR,
}
"""The names of events before May 2026, with those of today: clients of today do not know the old ones."""
RENAMED_DELTAS: Mapping[str, str] = {"text_annotation": "text_annotation_delta", "arguments": "arguments_delta"}
"""The types of deltas before May 2026, with those of today."""


class State(StrEnum):
    """Where a stream is."""

    EXPECT_CREATED = "EXPECT_CREATED"
    BETWEEN_STEPS = "BETWEEN_STEPS"
    IN_STEP = "IN_STEP"
    COMPLETED = "COMPLETED"
    CLOSED = "CLOSED"
    RESUMED = "RESUMED"
    """After a cursor: a step may be open that began before it."""

    __hash__ = str.__hash__  # states are looked up for every event, and an enum's own hash is slow


STARTS: Mapping[str, State] = {
    "fresh": State.EXPECT_CREATED,
    "replay": State.EXPECT_CREATED,
    "resumed": State.RESUMED,
}
"""The state in which each kind of stream begins."""

THRESHOLDS = frozenset({State.EXPECT_CREATED, State.COMPLETED})
"""States that any event leaves, even one that cannot be read: it is then judged in the next state as well."""


class Row(Struct, frozen=True):
    """Where an event leads. `breaks` is the rule that its presence breaks, `guards` what else must hold."""

    next: State
    breaks: str = ""
    guards: tuple[str, ...] = ()


_FIRST = Row(State.BETWEEN_STEPS, "stream.first")
_LATE = Row(State.BETWEEN_STEPS, "stream.completed-last")
_CLOSED = Row(State.CLOSED, "stream.done-final")
_CREATED = ("created-once", "created-status")
_STATUS = ("not-over",)
_START = ("index-next", "none-open", "not-over")
_DELTA = ("delta-known", "delta-fits", "before-signature")
_STOP = ("stop-index", "arguments-join", "usage-grows")
_COMPLETED = ("all-stopped", "completed-status", "completed-steps")
_END = Row(State.CLOSED, guards=("is-over",))


def _build_running(state: State) -> dict[str, Row]:
    """The rows of every state between the creation and the end."""
    return {
        CREATED: Row(state, guards=_CREATED),
        STATUS: Row(state, guards=_STATUS),
        START: Row(State.IN_STEP, guards=_START),
        DELTA: Row(state, guards=("delta-index", *_DELTA)),
        STOP: Row(state, guards=_STOP),
        COMPLETED: Row(State.COMPLETED, guards=_COMPLETED),
        ERROR: Row(state),
        OTHER: Row(state),
        SENTINEL: _END,
        END: _END,
    }


ORDER: Mapping[State, Mapping[str, Row]] = {
    State.EXPECT_CREATED: {
        CREATED: Row(State.BETWEEN_STEPS, guards=_CREATED),
        **dict.fromkeys((STATUS, START, DELTA, STOP, COMPLETED, OTHER), _FIRST),
        ERROR: Row(State.EXPECT_CREATED),
        SENTINEL: _END,
        END: _END,
    },
    State.BETWEEN_STEPS: {
        **_build_running(State.BETWEEN_STEPS),
        DELTA: Row(State.BETWEEN_STEPS, "stream.start-before", ("delta-known",)),
    },
    State.IN_STEP: {**_build_running(State.IN_STEP), STOP: Row(State.BETWEEN_STEPS, guards=_STOP)},
    State.RESUMED: _build_running(State.RESUMED),
    State.COMPLETED: {
        **dict.fromkeys((*EVENTS, OTHER), _LATE),
        SENTINEL: Row(State.CLOSED),
        END: Row(State.CLOSED),
    },
    State.CLOSED: {
        **dict.fromkeys((*EVENTS, OTHER, SENTINEL), _CLOSED),
        END: Row(State.CLOSED),
    },
}
"""The row for each state and each of `EVENTS`, `OTHER`, `SENTINEL` and `END`."""


def row_of(state: State, event: str) -> Row:
    """The row for an event of any type."""
    rows = ORDER[state]
    return rows.get(event) or rows[OTHER]
