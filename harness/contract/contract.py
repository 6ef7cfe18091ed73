"""`Contract`: one revision of the API, as a value that is passed down.

Two revisions can be judged in one process, because nothing here is global: `CURRENT` is only the default of
commands, fixtures and tests. Every part is read on first use, once. Must not know its judges.

The tests of this project cover the shipped schemas; `check_revision` checks all others before anything is judged
by them: each file is JSON and a valid schema, its marks are known, and its references lead somewhere. Then
everything is read that is read in schemas. Whether the marks of steps fit each other is for `tables.stream_order`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from harness.contract.schema.openness import DELTAS, GROWS, IN_START, Schema, list_members, step_into, type_of
from harness.contract.schema.schemas import REVISIONS, Schemas, find_target, load_schemas, schemas_in
from harness.contract.tables import stream_order
from harness.contract.tables.protocol import PROTOCOL, LifecycleTable, read_lifecycle, read_statuses
from harness.contract.tables.stream_order import (
    ContentType,
    DeltaType,
    Row,
    State,
    StepTable,
    StepType,
    read_steps,
)
from harness.outcome import Rule, UsageFault
from harness.outcome.words import did_you_mean, nearest, to_one_line
from harness.wire import StreamProtocol

_TABLES = ("steps_table", "statuses", "tools", "events", "grounding_tools")
"""The parts of a contract that are read in schemas."""

_BOOLEAN, _WORDS = {"type": "boolean"}, {"type": "array", "items": {"type": "string"}}

_MARKS: dict[str, Schema] = {
    "x-open": _BOOLEAN,
    "x-keep": _BOOLEAN,
    "x-rule": _BOOLEAN,
    "x-unknown": {"type": "string"},
    "x-known-values": _WORDS,
    DELTAS: _WORDS,
    IN_START: {"type": "object"},
    GROWS: {"type": "object", "properties": {"fragments": _WORDS}, "additionalProperties": {"type": "string"}},
}
"""The marks, and the schema of each."""

_MAPS = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_VALUES = frozenset({"examples", "const", "enum", "default", *_MARKS})


class WrittenContract(Protocol):
    """The checked contract: schemas, and the parts read in them, which have the names of `_TABLES`."""

    @property
    def schemas(self) -> Schemas:
        """The schemas of the revision."""


def check_revision(contract: WrittenContract) -> None:
    """Look at every file that a revision does not have from a shipped one. Raises ValueError for a wrong one."""
    import jsonschema_rs

    schemas = contract.schemas
    for name, path in sorted(schemas.written.items()):
        for pointer, part in _list_parts(_read_file(schemas, name, path), "$"):
            _check_marks(part, f"{path}, {pointer}")
            if "$ref" in part and (target := find_target(name, part["$ref"])[0]) not in schemas.files:
                hint = did_you_mean(target, schemas.names(), otherwise=": write its path from this file")
                raise ValueError(
                    f"{path}, {pointer}: $ref {part['$ref']!r} leads to no file of the revision{hint}"
                )
    try:
        for table in _TABLES:
            getattr(contract, table)
        for name in schemas.written:
            schemas.validator(name)
    except jsonschema_rs.ValidationError as error:
        raise ValueError(
            f"{schemas.written[name]} is not a JSON Schema (2020-12): {error.message[:200]}"
        ) from None
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"the schemas of {schemas.revision} lack what is read in them ({error!r}): let revision.json name a "
            f"base, and compare your files with those of {REVISIONS[-1]}"
        ) from None


def _read_file(schemas: Schemas, name: str, path: Path) -> Schema:
    import jsonschema_rs

    try:
        document = schemas.read(name)
        jsonschema_rs.meta.validate(document)
    except jsonschema_rs.ValidationError as error:
        place = "".join(f"[{step!r}]" for step in error.instance_path) or "the whole file"
        raise ValueError(f"{path} is not a JSON Schema (2020-12): {place}: {error.message[:200]}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON that can be read: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("description"), str):
        raise ValueError(f'{path} has no "description": say in it what the schema describes')
    return document


def _check_marks(part: Schema, place: str) -> None:
    import jsonschema_rs

    for mark in (key for key in part if key.startswith("x-")):
        if mark not in _MARKS:
            raise ValueError(f"{place}: no mark is called {mark!r}{did_you_mean(mark, _MARKS)}")
        if not jsonschema_rs.is_valid(_MARKS[mark], part[mark]):
            came, wanted = json.dumps(part[mark])[:80], json.dumps(_MARKS[mark])
            raise ValueError(f"{place}: {mark} is {came}: write a value that fits {wanted}")


def _list_parts(part: Any, pointer: str) -> Iterator[tuple[str, Schema]]:
    """Every schema within a schema, and where it is; values that a schema quotes are none."""
    if isinstance(part, list):
        for index, item in enumerate(part):
            yield from _list_parts(item, step_into(pointer, index))
    elif isinstance(part, dict):
        yield pointer, part
        for key, inner in part.items():
            inside = step_into(pointer, key)
            if key in _MAPS and isinstance(inner, dict):
                for name, member in inner.items():
                    yield from _list_parts(member, step_into(inside, name))
            elif key not in _VALUES:
                yield from _list_parts(inner, inside)


CURRENT = "2026-05-20"
"""The revision of the API that the service speaks today; read only by `cli`, `plugin`, `suite` and tests."""


class EventType(Struct, frozen=True):
    """One type of event: its name, and the schema of its payload."""

    name: str
    schema: str


class Contract:
    """The contract of one revision. Obtain it from `load`, which builds each once."""

    order: Mapping[State, Mapping[str, Row]] = stream_order.ORDER
    protocol: StreamProtocol = PROTOCOL

    def __init__(self, schemas: Schemas) -> None:
        self.revision = schemas.revision
        self.schemas = schemas

    def __repr__(self) -> str:
        return f"Contract({self.revision!r})"

    @cached_property
    def steps_table(self) -> StepTable:
        """The types of steps, deltas and contents, and how one streams the other."""
        return read_steps(self.schemas)

    @property
    def steps(self) -> Mapping[str, StepType]:
        """The types of steps by name, in the order of the reference."""
        return self.steps_table.steps

    @property
    def deltas(self) -> Mapping[str, DeltaType]:
        return self.steps_table.deltas

    @property
    def contents(self) -> Mapping[str, ContentType]:
        return self.steps_table.contents

    @cached_property
    def lifecycle(self) -> LifecycleTable:
        """The statuses, and which may follow which."""
        return read_lifecycle(self.schemas)

    @cached_property
    def statuses(self) -> tuple[str, ...]:
        return read_statuses(self.schemas)

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """The types of tools that a create may offer."""
        return tuple(type_of(self.schemas.document(name)) for name in list_members(self.schemas.document("tool")))

    @cached_property
    def events(self) -> Mapping[str, EventType]:
        found = {}
        for schema in list_members(self.schemas.document("event")):
            name = str(self.schemas.document(schema)["properties"]["event_type"]["const"])
            found[name] = EventType(name, schema)
        return found

    @cached_property
    def grounding_tools(self) -> tuple[str, ...]:
        """The tools whose use is counted in queries."""
        counted = self.schemas.document("usage")["$defs"]["grounding_tool_count"]["properties"]["type"]
        return tuple(counted["x-known-values"])

    def holds(self, rule: Rule) -> bool:
        return rule.since <= self.revision and (rule.until is None or self.revision < rule.until)


@cache
def load(revision: str = CURRENT) -> Contract:
    """The contract of `revision`, which may also be the path of a folder; the same object on every call.

    Raises LookupError for an unknown one.
    """
    if revision not in REVISIONS and Path(revision).is_dir():
        return load_from(Path(revision))
    return Contract(load_schemas(revision))


def load_from(folder: Path) -> Contract:
    """The contract of the revision in a folder of its own, which may contain only the differences from its base.

    Raises LookupError for a folder without a base that exists, ValueError for files that nothing can be judged by.
    """
    contract = Contract(schemas_in(folder))
    check_revision(contract)
    return contract


def find_revision(name: str, option: str) -> str:
    """The name of a shipped revision, or the path of the folder of one. Raises UsageFault naming `option`."""
    if name in REVISIONS:
        return name
    if not Path(name).is_dir():
        near = nearest(name, REVISIONS, most=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(REVISIONS)
        raise UsageFault(f"{option}: unknown revision {name!r} of the API; known are {known}{hint}")
    folder = Path(name).resolve()
    check_revision_name(folder, option)
    try:
        load(str(folder))
    except LookupError as error:
        raise UsageFault(
            f"{option}: {name!r} is not the folder of a revision: {to_one_line(error.args[0])}"
        ) from None
    except ValueError as error:
        raise UsageFault(f"{option}: the revision {name!r} cannot be used: {to_one_line(str(error))}") from None
    return str(folder)


def check_revision_name(folder: Path, option: str) -> None:
    """A revision is a day, because rules hold from one revision to another. Raises UsageFault naming `option`."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", folder.name) is None:
            raise ValueError
        date.fromisoformat(folder.name)
    except ValueError:
        example = "name the folder like a revision, such as 2026-12-01"
        raise UsageFault(f"{option}: {folder.name!r} is not a date: {example}") from None
