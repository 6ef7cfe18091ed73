"""The unions of all steps and of all deltas, which follow from the files of `steps/` and `deltas/`.

A new step needs its own file only: `input.json`, `step.json`, `step-shell.json` and `delta.json` list every file
of their folder, and exclude its type from their branch for the unknown. The loader makes them; `source_files`
writes them down for people and for tools that read files. The files also keep the order in which the types are
listed. Layer 1. Knows how a union is written; must not know any step, or where files are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.contract.schema.openness import Schema

DELTAS, IN_START, GROWS = "x-deltas", "x-in-start", "x-grows"
MARKS = frozenset({DELTAS, IN_START, GROWS})
"""Marks of a step or delta file that say how the step is streamed; `tables.steps` reads them."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Union:
    """A schema with a branch for each file of `folder`, or for the part `at` of each, and one for the unknown."""

    folder: str
    what: str
    description: str
    at: str = ""

    def members(self, document: Schema) -> list[str]:
        """The names of the files that a union lists, in its order."""
        return list_members(document)

    def document(self, document: Schema, members: Mapping[str, Schema]) -> Schema:
        """The union of `members`; `document` is what its own file says now."""
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
        head = {"$schema": _DIALECT, **named, "description": self.description, **shown}
        return {**head, "oneOf": [*branches, unknown]}


@dataclass(frozen=True, slots=True)
class Mixture:
    """A union within a schema, of the files of `folder` and of what the union `beside` lists.

    What its file does not list is added, and wherever the file lists all types of `beside`.
    """

    folder: str
    where: tuple[str, ...]
    beside: str

    def members(self, document: Schema) -> list[str]:
        """The names of the files that the union lists, in its order."""
        return _list_references(self._find_union(document)["oneOf"])

    def document(self, document: Schema, members: Mapping[str, Schema]) -> Schema:
        """The schema with those of `members` that its file does not list."""
        mixed: Schema = copy.deepcopy({key: part for key, part in document.items() if key != "$comment"})
        union, listed = self._find_union(mixed), self.members(document)
        types = {name: type_of(part) for name, part in members.items()}
        added = {name: kind for name, kind in types.items() if name not in listed}
        others = {name: kind for name, kind in types.items() if not name.startswith(f"{self.folder}/")}
        *known, unknown = union["oneOf"]
        for values in _find_enums(mixed):
            if all(kind in values for name, kind in others.items() if name in listed):
                values += [kind for name, kind in added.items() if name in others]
        unknown["properties"]["type"]["not"]["enum"] += [added[name] for name in added if name not in others]
        union["oneOf"] = [*known, *({"$ref": f"{name}.json"} for name in added), unknown]
        return mixed

    def _find_union(self, document: Schema) -> Schema:
        part: Schema = document
        for key in self.where:
            part = part[key]
        return part


UNIONS: dict[str, Union | Mixture] = {
    "input": Mixture("steps", ("$defs", "item"), "content"),
    "step": Union("steps", "step", "One step of an interaction, whole."),
    "step-shell": Union(
        "steps",
        "step",
        "A step as step.start announces it: any field may still be missing but the type.",
        "#/$defs/shell",
    ),
    "delta": Union("deltas", "delta", "What a step.delta adds to its step."),
}


def _find_enums(part: Any) -> Iterator[list[Any]]:
    inside = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, inner in inside:
        if key == "enum" and isinstance(inner, list):
            yield inner
        else:
            yield from _find_enums(inner)


def list_members(document: Schema) -> list[str]:
    """The names of the files that a union in a document of its own lists."""
    return _list_references(document["oneOf"])


def _list_references(branches: list[Schema]) -> list[str]:
    references = [branch["$ref"] for branch in branches if "$ref" in branch]
    return [reference.partition("#")[0].removesuffix(".json") for reference in references]


def type_of(document: Schema) -> str:
    """The constant `type` of what a step or delta file describes."""
    return str(properties_of(document)["type"]["const"])


def properties_of(document: Schema) -> dict[str, Schema]:
    """The properties that a step or delta file lists; those of a step are listed by its shell."""
    shell: Schema = document if "properties" in document else document["$defs"]["shell"]
    properties: dict[str, Schema] = shell["properties"]
    return properties
