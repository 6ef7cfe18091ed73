"""Breaks a legal value in one place, so that its schema is certain to reject it.

Layer 2. Walks value and schema together to know what each place accepts. A member gets a JSON type that no branch
of its schema allows, a required member is dropped, or a closed object gets an unknown member. Places where an open
schema would tolerate the change are left alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.contract import Contract
from harness.contract.schema.openness import Schema, close
from harness.strategies.from_schema import merge_reference

Json = dict[str, Any]
Path = tuple[str | int, ...]

STRANGER = "harness_unknown_field"
_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
}
_OTHERS: dict[str, tuple[Any, ...]] = {
    "null": (None,),
    "boolean": (True,),
    "string": ("wrong",),
    "integer": (7,),
    "number": (0.5,),
    "array": ([], [1]),
    "object": ({}, {"a": 1}),
}


@dataclass(frozen=True, slots=True)
class SchemaPosition:
    """A member of an object or list, with the wrong values it may get and whether it may be dropped."""

    path: Path
    wrong: tuple[Any, ...]
    droppable: bool


class Damage:
    """Finds the places in values of one schema. `closed`: the schema also rejects what it does not list."""

    def __init__(self, contract: Contract, name: str, *, closed: bool) -> None:
        bundle = contract.schemas.bundle(name)
        self._root = close(bundle) if closed else bundle
        self._closed = closed

    def places(self, value: Json) -> list[SchemaPosition]:
        """Every place in `value` where a change is certain to be rejected."""
        return [*self._find_here(self._root, value, ()), *self._walk(self._root, value, ())]

    def _find_here(self, schema: Schema, value: Json, path: Path) -> Iterator[SchemaPosition]:
        if self._closed and self._closes(schema):
            yield SchemaPosition((*path, STRANGER), (1, "a"), droppable=False)

    def _closes(self, schema: Schema) -> bool:
        return self.whole(schema).get("additionalProperties") is False

    def _walk(self, schema: Schema, value: Any, path: Path) -> Iterator[SchemaPosition]:
        schema = self.branch(schema, value)
        if isinstance(value, dict):
            required = set(schema.get("required", ()))
            for name, member in value.items():
                part = schema.get("properties", {}).get(name)
                if part is not None and not schema.get("x-unknown"):
                    inside = (*path, name)
                    if "const" not in part or not path:  # deeper, another branch may accept another constant
                        yield SchemaPosition(
                            inside, self._list_wrong(part), name in required and "const" not in part
                        )
                    yield from self._walk(part, member, inside)
                    if isinstance(member, dict):
                        yield from self._find_here(self.branch(part, member), member, inside)
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            for index, member in enumerate(value):
                yield from self._walk(schema["items"], member, (*path, index))

    def _list_wrong(self, schema: Schema) -> tuple[Any, ...]:
        taken = self.types(schema)
        if not taken:
            return ()
        if "number" in taken:
            taken = taken | {"integer"}
        return tuple(value for kind, found in _OTHERS.items() if kind not in taken for value in found)

    def types(self, schema: Schema) -> frozenset[str]:
        """The JSON types that a schema may accept; empty if it does not restrict them."""
        schema = self.whole(schema)
        for union in ("oneOf", "anyOf"):
            if union in schema:
                found = [self.types(branch) for branch in schema[union]]
                return frozenset().union(*found) if all(found) else frozenset()
        if "const" in schema:
            return frozenset({_TYPES[type(schema["const"])]})
        return frozenset({schema["type"]}) if "type" in schema else frozenset()

    def branch(self, schema: Schema, value: Any) -> Schema:
        """The branch of a union that describes `value`, by JSON type and discriminator."""
        schema = self.whole(schema)
        for union in ("oneOf", "anyOf"):
            if union in schema:
                fitting = (self.branch(part, value) for part in schema[union] if self._tells(part, value))
                return next(fitting, {})
        return schema

    def _tells(self, schema: Schema, value: Any) -> bool:
        schema = self.whole(schema)
        if any(union in schema for union in ("oneOf", "anyOf")):
            return any(self._tells(part, value) for part in schema.get("oneOf") or schema["anyOf"])
        kinds = self.types(schema)
        if kinds and _TYPES.get(type(value)) not in kinds:
            return False
        if not isinstance(value, dict):
            return True
        properties = schema.get("properties", {})
        for name in ("type", "event_type"):
            wanted = properties.get(name, {}).get("const")
            if (
                wanted is not None
                and value.get(name, wanted if name not in schema.get("required", ()) else None) != wanted
            ):
                return False
        return not schema.get("x-unknown")

    def whole(self, schema: Schema) -> Schema:
        """A schema with its reference resolved."""
        return merge_reference(schema, self._root["$defs"])


@cache
def _damage(contract: Contract, name: str, closed: bool) -> Damage:
    return Damage(contract, name, closed=closed)


def damaged_values(
    legal: SearchStrategy[Json], contract: Contract, name: str, *, closed: bool = False
) -> SearchStrategy[Json]:
    """Values of `legal`, each broken in one place."""

    @st.composite
    def damage(draw: st.DrawFn) -> Json:
        value = draw(legal)
        acts = [act for place in _damage(contract, name, closed).places(value) for act in _list_acts(place)]
        if not acts:  # only the value as a whole can be broken
            return draw(st.sampled_from(([], "wrong", 7, None)))
        return draw(st.sampled_from(acts))(copy.deepcopy(value))

    return damage()


def _list_acts(place: SchemaPosition) -> list[Callable[[Json], Json]]:
    acts: list[Callable[[Json], Json]] = [_replace_by(place.path, wrong) for wrong in place.wrong]
    return [*acts, _drop_at(place.path)] if place.droppable else acts


def _replace_by(path: Path, wrong: Any) -> Callable[[Json], Json]:
    def act(value: Json) -> Json:
        _find_holder(value, path)[path[-1]] = wrong
        return value

    return act


def _drop_at(path: Path) -> Callable[[Json], Json]:
    def act(value: Json) -> Json:
        del _find_holder(value, path)[path[-1]]
        return value

    return act


def _find_holder(value: Any, path: Path) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value
