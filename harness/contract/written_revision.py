"""Checks a revision that a user wrote, in a folder, before anything is judged by it.

Layer 1. The tests of this project cover the shipped schemas; this module checks all others: each file is JSON and
a valid schema, its references lead somewhere, something leads to it, its marks are known, and the tables can be
read. Every message names the file. Whether the marks of steps fit each other is for `tables.steps`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from harness import resources
from harness.contract.schema.openness import (
    DELTAS,
    GROWS,
    IN_START,
    UNIONS,
    Mixture,
    Schema,
    properties_of,
    step_into,
    type_of,
)
from harness.contract.schema.schemas import REVISIONS, Schemas, find_target, load_schemas
from harness.contract.tables.operations import OPERATIONS
from harness.outcome.words import did_you_mean

_READ_IN = {
    "steps_table": ("step", "delta", "content"),
    "statuses": ("interaction-status",),
    "tools": ("tool",),
    "events": ("event",),
    "grounding_tools": ("usage",),
}
"""The parts of a contract that are read in schemas, and in which."""

_BOOLEAN, _WORD, _WORDS = {"type": "boolean"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}

_MARKS: dict[str, tuple[Schema, str]] = {
    "x-open": (_BOOLEAN, "true or false"),
    "x-keep": (_BOOLEAN, "true or false"),
    "x-rule": (_BOOLEAN, "true or false"),
    "x-unknown": (_WORD, 'what it is that this revision does not name, such as "step"'),
    "x-known-values": (_WORDS, 'a list of words, such as ["a", "b"]'),
    DELTAS: (_WORDS, 'a list of types of deltas, such as ["text"]'),
    IN_START: ({"type": "object"}, 'an object, such as {"id": "whole", "signature": "empty"}'),
    GROWS: (
        {"type": "object", "properties": {"fragments": _WORDS}, "additionalProperties": _WORD},
        'an object of words, such as {"how": "append", "field": "text"}; `fragments` is a list of them',
    ),
}
"""The marks: what each may be, as a schema and in words."""

_MAPS = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_VALUES = frozenset({"examples", "const", "enum", "default", *_MARKS})
_OPENAPI = "openapi.json"
_MEMBERS = tuple(f"{folder}/" for folder in {union.folder for union in UNIONS.values()})


class WrittenContract(Protocol):
    """The checked contract: schemas, and the parts read in them, which have the names that `_READ_IN` lists."""

    @property
    def schemas(self) -> Schemas:
        """The schemas of the revision."""


def check_revision(contract: WrittenContract) -> None:
    """Look at every file that a revision does not have from a shipped one. Raises ValueError for a wrong one."""
    import jsonschema_rs

    schemas = contract.schemas
    asked = {operation.schema for operation in OPERATIONS if operation.schema}
    if missing := sorted(asked.union(*_READ_IN.values()) - schemas.files.keys()):
        few = ", ".join(f"{name}.json" for name in missing[:3])
        raise ValueError(
            f"{schemas.revision} lacks {len(missing)} schemas, such as {few}: let its revision.json name a base "
            f"that has them, such as {REVISIONS[-1]!r}"
        )
    own = {
        name: (path, _read(path, partial(schemas.read, name))) for name, path in sorted(schemas.written.items())
    }
    for name, (path, document) in own.items():
        _check_file(path, document, of_union=name.startswith(_MEMBERS))
    _check_reading(contract)
    for folder in sorted(_MEMBERS):
        types: dict[str, str] = {}
        for name in schemas.list_names(folder.rstrip("/")):
            other = types.setdefault(type_of(schemas.document(name)), name)
            if other != name:
                raise ValueError(
                    f"{other}.json and {name}.json of {schemas.revision} describe the same type: to change a "
                    "type, give your file the name that the base's has"
                )
    for name, (path, document) in own.items():
        for pointer, part in _list_parts(document, "$"):
            if "$ref" in part and (target := find_target(name, part["$ref"])[0]) not in schemas.files:
                wanted = ": write the path of a file, as seen from the folder of this one"
                hint = did_you_mean(target, schemas.names(), otherwise=wanted)
                raise ValueError(
                    f"{path}, {pointer}: $ref {part['$ref']!r} leads to no file of the revision{hint}"
                )
    for name, (path, _) in own.items():
        try:
            schemas.validator(name)
        except jsonschema_rs.ValidationError as error:
            raise ValueError(f"{path} is not a JSON Schema (2020-12): {error.message[:200]}") from None
    _check_use(schemas)
    openapi = schemas.path(_OPENAPI)
    if openapi is not None and openapi.parent.parent != resources.folder("schemas"):
        _read(openapi, schemas.openapi)


def _check_reading(contract: WrittenContract) -> None:
    """Read now what else is read on first use. Raises ValueError for schemas that lack what is read in them."""
    schemas = contract.schemas
    unions = [(union.beside if isinstance(union, Mixture) else name, name) for name, union in UNIONS.items()]
    reads: list[tuple[tuple[str, ...], Callable[[], object]]] = [
        *((names, partial(list, map(schemas.document, names))) for names in unions),
        *((names, partial(getattr, contract, table)) for table, names in _READ_IN.items()),
    ]
    for names, read in reads:
        try:
            read()
        except (LookupError, TypeError, AttributeError) as error:
            written = (str(schemas.written[name]) for name in dict.fromkeys(names) if name in schemas.written)
            raise ValueError(
                f"{' or '.join(written)} lacks what is read there ({error!r}): leave the file out, or copy that "
                f"of {REVISIONS[-1]} and change it"
            ) from None


def _check_use(schemas: Schemas) -> None:
    """Raise ValueError for a file to which nothing leads: it would silently change nothing."""
    names = schemas.names()
    parts = ((name, part) for name in names for _, part in _list_parts(schemas.document(name), "$"))
    leads = ((name, find_target(name, part["$ref"])[0]) for name, part in parts if "$ref" in part)
    used = {target for name, target in leads if target != name}
    for name in sorted(schemas.written.keys() - used - set(load_schemas(REVISIONS[-1]).names())):
        if not name.startswith(("requests/", *_MEMBERS)):
            raise ValueError(
                f"{schemas.written[name]}: no file refers to it, so it changes nothing: refer to it where it may "
                f"stand (a content in content.json, a tool in tool.json); files of steps belong into steps/, of "
                f"deltas into deltas/"
            )


def _read(path: Path, read: Callable[[], Schema]) -> Schema:
    try:
        document = read()
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON that can be read: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path} is not a schema: write an object, as the files of the base are")
    return document


def _check_file(path: Path, document: Schema, *, of_union: bool) -> None:
    """Raise ValueError for a value that is no schema of draft 2020-12, and for an unknown or a misshaped mark.

    A file `of_union` describes a step or a delta, and has to name its type.
    """
    import jsonschema_rs

    if not isinstance(document.get("description"), str):
        raise ValueError(f'{path} has no "description": say in it what the schema describes')
    try:
        jsonschema_rs.meta.validate(document)
    except jsonschema_rs.ValidationError as error:
        place = "".join(f"[{step!r}]" for step in error.instance_path) or "the whole file"
        raise ValueError(f"{path} is not a JSON Schema (2020-12): {place}: {error.message[:200]}") from None
    for pointer, part in _list_parts(document, "$"):
        for mark in (key for key in part if key.startswith("x-")):
            if mark not in _MARKS:
                raise ValueError(f"{path}, {pointer}: no mark is called {mark!r}{did_you_mean(mark, _MARKS)}")
            shape, wanted = _MARKS[mark]
            if not jsonschema_rs.is_valid(shape, part[mark]):
                came = json.dumps(part[mark])[:80]
                raise ValueError(f"{path}, {pointer}: {mark} is {came}: write {wanted}")
    try:
        kind = properties_of(document)["type"]["const"] if of_union else ""
    except (LookupError, TypeError):
        kind = None
    if not isinstance(kind, str):
        raise ValueError(
            f'{path} does not say which type it describes: in "properties" (for a step in those of "$defs", '
            '"shell") write "type": {"const": "the_type"}'
        )


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
