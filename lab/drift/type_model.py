"""The types of an API as values: operations, records and their fields, from any description.

Unions are flat: a shape lists the JSON kinds it allows, its known values and its records. Must not know
any API or any language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

Pointer = tuple[str, ...]
Origin = tuple[str, Pointer]
"""Where something is written: the name of a document, and the keys that lead to it."""

ANY = "any"
"""The kind of a shape that allows every JSON value."""

_VARIABLE = re.compile(r"\{[^{}]*\}")
_VERSION = re.compile(r"^/\{api_?[vV]ersion\}")


@dataclass(frozen=True, slots=True)
class ValueType:
    """The possible values of a field. `kinds` are JSON types; `records` are names in the same `TypeModel`.

    `values` are the known ones; `fixed`: there is only the one. `item` is the shape of the items of an array,
    `entry` that of the values of a map. `title` names a shape that is written in one place and used in many, and
    `origin` is that place.
    """

    kinds: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    fixed: bool = False
    records: tuple[str, ...] = ()
    item: ValueType | None = None
    entry: ValueType | None = None
    title: str = ""
    origin: Origin | None = None

    @classmethod
    def of(cls, *kinds: str) -> ValueType:
        """Any value of these JSON types."""
        return cls(frozenset(kinds))

    @classmethod
    def array_of(cls, item: ValueType) -> ValueType:
        """An array whose items have this shape."""
        return cls(frozenset({"array"}), item=item)

    @classmethod
    def map_of(cls, entry: ValueType | None) -> ValueType:
        """An object whose keys are free, and whose values have this shape."""
        return cls(frozenset({"object"}), entry=entry)

    @classmethod
    def record(cls, name: str) -> ValueType:
        """An object that is the record of this name."""
        return cls(frozenset({"object"}), records=(name,))

    @classmethod
    def of_values(cls, kind: str, *values: str, fixed: bool = False) -> ValueType:
        """A value of one JSON type, of which these are known."""
        return cls(frozenset({kind}), frozenset(values), fixed=fixed)


NOTHING = ValueType()
"""The shape that no value has: what is `null`, or unknown to the SDK itself."""

ANYTHING = ValueType.of(ANY)


def unite(shapes: Iterable[ValueType]) -> ValueType:
    """The shape that allows what any of `shapes` does."""
    known = [shape for shape in shapes if shape != NOTHING]
    if len(known) == 1:
        return known[0]
    items = [shape.item for shape in known if shape.item is not None]
    entries = [shape.entry for shape in known if shape.entry is not None]
    return ValueType(
        kinds=frozenset().union(*(shape.kinds for shape in known)),
        values=frozenset().union(*(shape.values for shape in known)),
        records=tuple(dict.fromkeys(name for shape in known for name in shape.records)),
        item=unite(items) if items else None,
        entry=unite(entries) if entries else None,
    )


def give_title(shape: ValueType, title: str) -> ValueType:
    """The shape under a title of its own, if it is worth one: a union of records, or a list of values."""
    if shape.title or shape.fixed or not (shape.values or len(shape.records) > 1):
        return shape
    return replace(shape, title=title)


@dataclass(frozen=True, slots=True)
class FieldType:
    """A member of an object, or a parameter. `origin` is where its shape is written."""

    shape: ValueType
    required: bool = False
    text: str = ""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """An object type. `name` is what the description calls it.

    `origin` is where its fields are written, `place` where it is: that may refer to the former and require more.
    """

    name: str
    fields: Mapping[str, FieldType]
    text: str = ""
    origin: Origin | None = None
    place: Origin | None = None

    @property
    def tags(self) -> dict[str, str]:
        """The fields with one fixed value, by which members of a union are distinguished."""
        return {name: next(iter(part.shape.values)) for name, part in self.fields.items() if part.shape.fixed}


@dataclass(frozen=True, slots=True)
class OperationType:
    """A call: its parameters in the query, and the shapes of its body, its answer and the events of its stream."""

    name: str
    method: str
    path: str
    parameters: Mapping[str, FieldType] = field(default_factory=dict)
    body: ValueType | None = None
    answer: ValueType | None = None
    events: ValueType | None = None

    @property
    def key(self) -> str:
        """Method and path, the names of variables and the version left out: how two descriptions are matched."""
        return f"{self.method.upper()} {_VARIABLE.sub('{}', _VERSION.sub('', self.path))}"


def make_live(sent: ValueType, received: ValueType) -> OperationType:
    """Live Interactions, whose events pass over a WebSocket, as a call: what is sent is its body."""
    return OperationType("live", "get", "/interactions/live", body=sent, events=received)


@dataclass(frozen=True, slots=True)
class TypeModel:
    """One description of an API. `whole_numbers`: it distinguishes integers from other numbers."""

    title: str
    operations: Mapping[str, OperationType]
    records: Mapping[str, Record]
    whole_numbers: bool = True
