"""How open a schema is: its closed twin, and the unknown parts of a value that the open schema tolerates.

The files under `schemas/` describe responses, so they tolerate what a later revision may add. Three marks say
where they do, and everything here follows from them:

    x-known-values  the values published so far; others pass
    x-unknown       a branch for what this revision does not name (its value names that)
    x-open          open on purpose, in the closed twin too; with x-keep, an x-unknown branch stays there

An object is closable if it has `type: object` and lists `properties`. Rules between fields omit `type`, so they
are never mistaken for one.

The unions of all steps and of all deltas follow from the files of `steps/` and `deltas/`: a new step needs only a
file of its own. `input.json`, `step.json`, `step-shell.json` and `delta.json` list every file of their folder, and
exclude its type from their branch for the unknown.

Knows JSON Schema and the marks; must not know any message of the API.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, TypeAlias

from msgspec import Struct

Schema: TypeAlias = dict[str, Any]

_LISTS = ("oneOf", "anyOf", "allOf")
_MAPS = ("properties", "$defs")
_SINGLES = ("items", "additionalProperties", "propertyNames")
_JSON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


class UnknownPart(Struct, frozen=True):
    """Something valid that this revision does not name.

    `kind` is "field", "value", or what an x-unknown branch stands for ("step", "event", …); `name` is the
    field, the value, or the unknown discriminator ("" if there is none).
    """

    pointer: str
    kind: str
    name: str


def close(schema: Any, *, keep: bool = True) -> Any:
    """The closed twin: it rejects unlisted properties and values and has no branches for the unknown.

    `keep=False` removes even the x-keep branches: such a twin accepts only values with nothing unknown in them.
    """
    if not isinstance(schema, dict):
        return schema
    twin: Schema = {}
    for keyword, part in schema.items():
        if keyword in _LISTS:
            twin[keyword] = [
                close(branch, keep=keep)
                for branch in part
                if not (isinstance(branch, dict) and "x-unknown" in branch) or (keep and branch.get("x-keep"))
            ]
        elif keyword in _MAPS:
            twin[keyword] = {name: close(inner, keep=keep) for name, inner in part.items()}
        else:
            twin[keyword] = close(part, keep=keep) if keyword in _SINGLES else part
    if _closable(schema):
        twin["additionalProperties"] = False
    if "x-known-values" in schema and not schema.get("x-open"):
        twin["enum"] = schema["x-known-values"]
    return twin


ClosedParts: TypeAlias = dict[tuple[int, bool], Schema]
"""The closed twins of the parts that bundles share, by the identity of the part and by `keep`."""


def close_bundle(bundle: Schema, known: ClosedParts, *, keep: bool = True) -> Schema:
    """The closed twin of a bundle. A part of several bundles is closed once, and then `known`."""
    parts = {}
    for name, part in bundle["$defs"].items():
        key = id(part), keep
        if key not in known:
            known[key] = close(part, keep=keep)
        parts[name] = known[key]
    head = {keyword: part for keyword, part in bundle.items() if keyword != "$defs"}
    return {**close(head, keep=keep), "$defs": parts}


def unknowns(schema: Schema, value: Any) -> list[UnknownPart]:
    """The parts of `value` that the bundled open `schema` tolerates without naming them, in document order."""
    return list(_walk(schema, schema, value, "$"))


def step_into(pointer: str, part: str | int) -> str:
    """The pointer of a member: `$.delta`, `$.steps[0]`, `$["odd name"]`."""
    if isinstance(part, int):
        return f"{pointer}[{part}]"
    return f"{pointer}.{part}" if part.isidentifier() else f'{pointer}["{part}"]'


def _closable(schema: Schema) -> bool:
    lists = schema.get("type") == "object" and "properties" in schema
    return lists and "additionalProperties" not in schema and not schema.get("x-open")


def _walk(root: Schema, schema: Any, value: Any, pointer: str) -> Iterator[UnknownPart]:
    if not isinstance(schema, dict):
        return
    if "x-unknown" in schema:
        discriminator = next(iter(schema.get("properties", ())), None)
        if discriminator is None or not isinstance(value, dict) or discriminator not in value:
            yield UnknownPart(pointer, schema["x-unknown"], "")
        else:
            place = step_into(pointer, discriminator)
            yield UnknownPart(place, schema["x-unknown"], str(value[discriminator]))
        return
    if "$ref" in schema:
        yield from _walk(root, resolve(root, schema["$ref"]), value, pointer)
    # the first branch whose JSON type and constants fit; whether it is valid is left to the validator
    branch = next((branch for branch in _list_branches(schema) if _fits(root, branch, value)), None)
    yield from _walk(root, branch, value, pointer)
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, member in value.items():
            inside = step_into(pointer, name)
            if name in properties or others is not None:
                yield from _walk(root, properties.get(name, others), member, inside)
            elif _closable(schema):
                yield UnknownPart(inside, "field", name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(root, schema.get("items"), item, step_into(pointer, index))
    elif "x-known-values" in schema and not schema.get("x-open") and value not in schema["x-known-values"]:
        yield UnknownPart(pointer, "value", str(value))


def _list_branches(schema: Schema) -> list[Any]:
    """The branches of a union; a schema is one union at most."""
    branches: list[Any] = schema.get("oneOf") or schema.get("anyOf") or []
    return branches


def resolve(root: Schema, ref: str) -> Any:
    """The part of a bundled schema that a reference names."""
    part: Any = root
    for key in ref.removeprefix("#").split("/")[1:]:
        part = part[key]
    return part


def _fits(root: Schema, branch: Any, value: Any) -> bool:
    if not isinstance(branch, dict):
        return bool(branch)
    if "$ref" in branch and not _fits(root, resolve(root, branch["$ref"]), value):
        return False
    expected = branch.get("type")
    if expected is not None and not isinstance(value, _JSON_TYPES[expected]):
        return False
    if branches := _list_branches(branch):
        return any(_fits(root, part, value) for part in branches)
    if not isinstance(value, dict):
        return True
    if any(name in value for name in branch.get("not", {}).get("required", ())):
        return False
    for name, part in branch.get("properties", {}).items():
        excluded = part.get("not", {}).get("enum", ())
        if name in value:
            if value[name] != part.get("const", value[name]) or value[name] in excluded:
                return False
        elif ("const" in part or excluded) and name in branch.get("required", ()):
            return False
    return True


DELTAS, IN_START, GROWS = "x-deltas", "x-in-start", "x-grows"
MARKS = frozenset({DELTAS, IN_START, GROWS})
"""Marks of a step or delta file that say how the step is streamed; `tables.stream_order` reads them."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Union(Struct, frozen=True):
    """A schema with a branch for each file of `folder`, or for the part `at` of each, and one for the unknown."""

    folder: str
    what: str
    description: str
    at: str = ""
    where: tuple[str, ...] = ()

    def document(self, document: Schema, members: Mapping[str, Schema]) -> Schema:
        """The union of `members`; `document` is the current content of its file."""
        known = [type_of(document) for document in members.values()]
        unknown = {
            "description": f"A {self.what} this revision does not name.",
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"type": "string", "not": {"enum": known}}},
            "x-open": True,
            "x-unknown": self.what,
        }
        branches = [{"$ref": f"{name}.json{self.at}"} for name in members]
        named = {"$id": document["$id"]} if "$id" in document else {}
        shown = {"examples": document["examples"]} if "examples" in document else {}
        head = {"$schema": DIALECT, **named, "description": self.description, **shown}
        return {**head, "oneOf": [*branches, unknown]}


class Mixture(Struct, frozen=True):
    """A union within a schema, of the files of `folder` and of what the union `beside` lists.

    What its file does not list is added, also wherever the file lists all types of the folder, or of `beside`.
    """

    folder: str
    where: tuple[str, ...]
    beside: str

    def document(self, document: Schema, members: Mapping[str, Schema]) -> Schema:
        """The schema with those of `members` that its file does not list."""
        mixed: Schema = copy.deepcopy({key: part for key, part in document.items() if key != "$comment"})
        union, listed = _find_union(mixed, self.where), list_members(document, self.where)
        types: dict[tuple[bool, bool], list[str]] = defaultdict(list)  # by whether of the folder, whether listed
        for name, part in members.items():
            types[name.startswith(f"{self.folder}/"), name in listed].append(type_of(part))
        *known, unknown = union["oneOf"]
        for values in _find_enums(mixed):
            for of_folder in (False, True):
                if set(types[of_folder, True]).issubset(values):
                    values += types[of_folder, False]
        added = ({"$ref": f"{name}.json"} for name in members if name not in listed)
        union["oneOf"] = [*known, *added, unknown]
        return mixed


UNIONS: dict[str, Union | Mixture] = {
    "input": Mixture("steps", ("$defs", "item"), "content"),
    "step": Union("steps", "step", "One step of an interaction, whole."),
    "step-shell": Union(
        "steps",
        "step",
        "A step as step.start announces it: any field may still be missing but the type.",
        "#/$defs/shell",
    ),
    "delta": Union("deltas", "delta", "The addition of a step.delta to its step."),
}


def _find_enums(part: Any) -> Iterator[list[Any]]:
    inside = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, inner in inside:
        if key == "enum" and isinstance(inner, list):
            yield inner
        else:
            yield from _find_enums(inner)


def _find_union(document: Schema, where: tuple[str, ...]) -> Schema:
    return reduce(lambda part, key: part[key], where, document)


def list_members(document: Schema, where: tuple[str, ...] = ()) -> list[str]:
    """The names of the files that the union at a place of a document lists, in its order."""
    references = [branch["$ref"] for branch in _find_union(document, where)["oneOf"] if "$ref" in branch]
    return [reference.partition("#")[0].removesuffix(".json") for reference in references]


def type_of(document: Schema) -> str:
    """The constant `type` of what a step or delta file describes."""
    return str(properties_of(document)["type"]["const"])


def properties_of(document: Schema) -> dict[str, Schema]:
    """The properties that a step or delta file lists; those of a step are listed by its shell."""
    shell: Schema = document if "properties" in document else document["$defs"]["shell"]
    properties: dict[str, Schema] = shell["properties"]
    return properties
