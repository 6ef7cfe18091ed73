"""`Contract`: one revision of the API, as a value that is passed down.

Two revisions can be judged in one process, because nothing here is global: `CURRENT` is only the default of
commands, fixtures and tests. Every part is read on first use, once. Must not know its judges.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import cache, cached_property
from pathlib import Path

from msgspec import Struct

from harness.contract.schema.openness import list_members, type_of
from harness.contract.schema.schemas import REVISIONS, Schemas, load_schemas, schemas_in
from harness.contract.tables import stream_order
from harness.contract.tables.lifecycle import LifecycleTable, read_lifecycle, read_statuses
from harness.contract.tables.protocol import PROTOCOL
from harness.contract.tables.steps import ContentType, DeltaType, StepTable, StepType, read_steps
from harness.contract.tables.stream_order import Row, State
from harness.contract.written_revision import check_revision
from harness.outcome import Rule, UsageFault
from harness.outcome.words import nearest, to_one_line
from harness.wire import StreamProtocol

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
        """The types of deltas by name."""
        return self.steps_table.deltas

    @property
    def contents(self) -> Mapping[str, ContentType]:
        """The types of contents by name."""
        return self.steps_table.contents

    @cached_property
    def lifecycle(self) -> LifecycleTable:
        """The statuses, and which may follow which."""
        return read_lifecycle(self.schemas)

    @cached_property
    def statuses(self) -> tuple[str, ...]:
        """The statuses that the revision lists."""
        return read_statuses(self.schemas)

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """The types of tools that a create may offer."""
        return tuple(type_of(self.schemas.document(name)) for name in list_members(self.schemas.document("tool")))

    @cached_property
    def events(self) -> Mapping[str, EventType]:
        """The types of events by name."""
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
        """Whether a rule applies in this revision."""
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
