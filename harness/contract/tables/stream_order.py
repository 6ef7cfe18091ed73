"""The parts of a stream and their order: the types of steps and deltas, and the events of each state.

The types follow from the marks of a revision's schemas:

    x-deltas     on a step: the types of the deltas that stream it; without the mark no delta does
    x-in-start   on a step: the fields that its step.start shows, `whole` or `empty` (the deltas bring the value)
    x-grows      on a delta: how it changes its step (`Growth`)

`ORDER` is the single source of order, as the schemas are of shape. `python -m harness.contract.tables` prints it.
A row has the next state after an event of one type, or the rule that its mere presence breaks; the stream is then
judged on from the row's next state, so that one defect is one finding. A condition on more than the type (an
index, a status, the type of a delta) is a guard: the row names it, `judge.stream` decides it.

A stream starts `fresh` (the response to a create), `replay` (a GET from the first event: the created event may
show a later status) or `resumed` (a GET after a cursor: it may begin inside a step).

Must not know how anything is streamed, judged or assembled; those who do read these tables instead of listing
types.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

from msgspec import Struct

from harness.contract.schema.openness import DELTAS, GROWS, IN_START, list_members, properties_of, type_of
from harness.contract.schema.schemas import Schemas
from harness.outcome.words import did_you_mean


class DeltaEffect(StrEnum):
    """The ways in which a delta changes its step."""

    APPEND = "append"
    """It appends text to a string field."""
    JSON = "json"
    """It appends text to a string that is the JSON of the field once the step stops."""
    PARTS = "parts"
    """It adds a part to a list, or continues the last part."""
    MERGE = "merge"
    """It brings fields of the step itself."""


class Shown(StrEnum):
    """How a step.start shows a field."""

    WHOLE = "whole"
    EMPTY = "empty"


class Growth(Struct, frozen=True, kw_only=True):
    """How a delta changes its step: the mark `x-grows`.

    `field` is the field of the step. For parts: `join` is the string of the last part that a like delta continues,
    `add` a list of the last text part to which the delta adds, `of` the field of the delta that holds the part, if
    the delta is not itself the part. For merge: `fragments` are the string fields that come in pieces.
    """

    how: DeltaEffect
    field: str = ""
    join: str = ""
    add: str = ""
    of: str = ""
    fragments: frozenset[str] = frozenset()

    @classmethod
    def of_mark(cls, mark: Mapping[str, Any]) -> Growth:
        """The growth that a mark describes. Raises ValueError for a mark that makes no sense."""
        names = cls.__struct_fields__
        if odd := [name for name in mark if name not in names]:
            raise ValueError(f"{GROWS} has no {odd[0]!r}{did_you_mean(odd[0], names)}")
        if mark.get("how") not in [*DeltaEffect]:
            raise ValueError(f"{GROWS} has how {mark.get('how')!r}: write one of {', '.join(DeltaEffect)}")
        if mark["how"] != DeltaEffect.MERGE and "field" not in mark:
            raise ValueError(f"{GROWS} {mark['how']} needs the `field` of the step that grows: write it")
        values = {**mark, "how": DeltaEffect(mark["how"]), "fragments": frozenset(mark.get("fragments", ()))}
        return cls(**values)


class DeltaType(Struct, frozen=True):
    """One type of delta, with the name of its schema; `fields` are all that it may have."""

    name: str
    schema: str
    grows: Growth
    fields: frozenset[str]


class StepType(Struct, frozen=True):
    """One type of step, with the name of its schema.

    `deltas` are the types of its deltas in the order of the mark; none if it is not streamed. `in_start` are the
    fields that a step.start shows; `fields` are all that it may have.
    """

    name: str
    schema: str
    deltas: tuple[str, ...]
    in_start: Mapping[str, Shown]
    fields: frozenset[str]
    required: frozenset[str]

    @property
    def streamed(self) -> bool:
        """Whether deltas bring it; a step of another type comes whole in its step.start."""
        return bool(self.deltas)

    @property
    def tool(self) -> str:
        """The name of the tool whose call or result it is; `""` for any other step."""
        stem, _, half = self.name.rpartition("_")
        return stem if half in ("call", "result") else ""


class ContentType(Struct, frozen=True):
    """One type of content; `is_media`: it holds bytes, or their address."""

    name: str
    schema: str
    is_media: bool


class StepTable(Struct, frozen=True, dict=True):
    """All types of steps, deltas and contents of a revision, each by its name and in the order of the unions."""

    steps: Mapping[str, StepType]
    deltas: Mapping[str, DeltaType]
    contents: Mapping[str, ContentType]

    def deltas_of(self, step: str) -> tuple[DeltaType, ...]:
        """The deltas that stream a step, in the order of its mark; none for an unknown step."""
        return tuple(self.deltas[name] for name in self.steps[step].deltas) if step in self.steps else ()

    def streams(self, step: str | None) -> frozenset[str]:
        """The types of the deltas that stream a step; none for an unknown step."""
        return self._streams.get(step, frozenset())

    def list_allowed(self, step: str | None) -> frozenset[str]:
        """The types of deltas that a step may have: any known one if it is unknown, or lists none itself."""
        return self.streams(step) or frozenset(self.deltas)

    def plain(self, step: str | None) -> frozenset[str]:
        """Those of the allowed types that only add to the step: no signature, no JSON to be joined."""
        return self._plain[step] if step in self._plain else self._plain[None]

    def brings_json(self, step: str | None) -> bool:
        """Whether deltas bring a field of the step as fragments of JSON."""
        return any(self.deltas[name].grows.how is DeltaEffect.JSON for name in self.streams(step))

    @cached_property
    def step_of(self) -> Mapping[str, str]:
        """For each type of delta the type of the first step that it streams."""
        return {delta: step.name for step in reversed([*self.steps.values()]) for delta in step.deltas}

    @cached_property
    def media(self) -> frozenset[str]:
        """The types of contents that hold bytes, or say where the bytes are."""
        return frozenset(content.name for content in self.contents.values() if content.is_media)

    @cached_property
    def server_tools(self) -> tuple[str, ...]:
        """Tools of the service itself: the stems of a call and a result that each have their own delta."""
        own = [step.tool for step in self.steps.values() if step.name in step.deltas and step.tool]
        return tuple(tool for tool in dict.fromkeys(own) if own.count(tool) == 2)

    @cached_property
    def _streams(self) -> dict[str | None, frozenset[str]]:
        return {step.name: frozenset(step.deltas) for step in self.steps.values()}

    @cached_property
    def _plain(self) -> dict[str | None, frozenset[str]]:
        special = {
            delta.name
            for delta in self.deltas.values()
            if delta.grows.how in (DeltaEffect.APPEND, DeltaEffect.JSON)
        }
        return {name: self.list_allowed(name) - special for name in (None, *self.steps)}


def read_steps(schemas: Schemas) -> StepTable:
    """Read the table from the schemas. Raises ValueError, naming the file, for marks that make no sense."""
    read: dict[str, list[tuple[str, dict[str, Any]]]] = {
        union: [(name, schemas.document(name)) for name in list_members(schemas.document(union))]
        for union in ("delta", "step", "content")
    }
    deltas: dict[str, DeltaType] = {}
    for schema, document in read["delta"]:
        if GROWS not in document:
            raise ValueError(
                f"{schema}.json has no {GROWS}, which describes how the delta changes its step: write it"
            )
        try:
            grows = Growth.of_mark(document[GROWS])
        except ValueError as error:
            raise ValueError(f"{schema}.json: {error}") from None
        kind = type_of(document)
        deltas[kind] = DeltaType(kind, schema, grows, frozenset(properties_of(document)))
    steps = {step.name: step for step in (_read_step(*each) for each in read["step"])}
    for step in steps.values():
        for name in step.deltas:
            if name not in deltas:
                hint = did_you_mean(name, deltas, otherwise=": write its file in deltas/, or take it off")
                raise ValueError(f"{step.schema}.json lists {name!r} in {DELTAS}, but no file describes it{hint}")
            field = deltas[name].grows.field
            if field and field not in step.fields:
                raise ValueError(
                    f"{deltas[name].schema}.json grows the field {field!r} ({GROWS}), which {step.schema}.json, "
                    f"whose {DELTAS} lists it, has not{did_you_mean(field, sorted(step.fields))}"
                )
    contents = (
        ContentType(type_of(document), schema, "data" in properties_of(document))
        for schema, document in read["content"]
    )
    return StepTable(steps, deltas, {content.name: content for content in contents})


def _read_step(schema: str, document: dict[str, Any]) -> StepType:
    fields, required = frozenset(properties_of(document)), frozenset(document.get("required", ()))
    marked = document.get(IN_START, {})
    for name, how in marked.items():
        if how not in [*Shown]:
            raise ValueError(f"{schema}.json shows {name!r} {how!r} ({IN_START}): write one of {', '.join(Shown)}")
        if name not in fields:
            raise ValueError(
                f"{schema}.json shows {name!r} ({IN_START}), which it has not{did_you_mean(name, sorted(fields))}"
            )
    shown = {name: Shown(how) for name, how in marked.items()}
    return StepType(type_of(document), schema, tuple(document.get(DELTAS, ())), shown, fields, required)


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
