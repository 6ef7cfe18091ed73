"""Checks a revision that a user wrote, in a folder, before anything is judged by it.

The tests of this project cover the shipped schemas; this module checks all others: each file is JSON and a valid
schema, its marks are known, and its references lead somewhere. Then everything is read that is read in schemas.
Whether the marks of steps fit each other is for `tables.steps`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from harness.contract.schema.openness import DELTAS, GROWS, IN_START, Schema, step_into
from harness.contract.schema.schemas import REVISIONS, Schemas, find_target
from harness.outcome.words import did_you_mean

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
    GROWS: {
        "type": "object",
        "properties": {"fragments": _WORDS},
        "additionalProperties": {"type": "string"},
    },
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
