"""Finds, bundles and closes the JSON Schemas of each revision of the API, and provides validators for them.

The name of a schema is its file without the suffix: `interaction`, `event`, `events/step-delta`. Files refer to
each other by relative path; a bundle is the same schema with every file it reaches under `$defs`, so that
validators, and people who want one file, need no resolver. Layer 1. Knows the folder layout and `$ref`; must not
know what the schemas say or how validation works (`validate`).
"""

from __future__ import annotations

import json
import os
import posixpath
from functools import cache, cached_property
from pathlib import Path
from typing import Any, cast

from harness import resources
from harness.contract.schema.openness import Schema
from harness.contract.schema.validator import Validator
from harness.outcome.suggest import nearest

REVISIONS: tuple[str, ...] = ("2026-05-20",)
CURRENT = "2026-05-20"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOT_SCHEMAS = frozenset({"openapi", "strict"})


class Schemas:
    """The schemas of one revision. Everything is found, read, bundled and compiled on first use, once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._documents: dict[str, Schema] = {}
        self._bundles: dict[str, Schema] = {}
        self._validators: dict[tuple[str, bool], Validator] = {}

    def names(self) -> list[str]:
        """All schema names, sorted, without `openapi.json` and the generated files."""
        return list(self._files)

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The file of each name, in the order of the names."""
        paths = (Path(folder, file) for folder, _, files in os.walk(self._root) for file in files)
        schemas = (path for path in paths if path.suffix == ".json")
        found = {path.relative_to(self._root).with_suffix("").as_posix(): path for path in schemas}
        return {name: found[name] for name in sorted(found) if name.partition("/")[0] not in _NOT_SCHEMAS}

    def document(self, name: str) -> Schema:
        """The parsed file; shared, so do not change it. Raises LookupError for an unknown name."""
        if name not in self._documents:
            if name not in self._files:
                near = ", ".join(nearest(name, self.names())) or "see Schemas.names()"
                raise LookupError(f"no schema is named {name!r} in {self._root.name}; near it: {near}")
            self._documents[name] = json.loads(self._files[name].read_bytes())
        return self._documents[name]

    def bundle(self, name: str) -> Schema:
        """The schema as one self-contained document; shared, so do not change it."""
        if name not in self._bundles:
            self._bundles[name] = self._collect(name)
        return self._bundles[name]

    def validator(self, name: str, *, closed: bool = False) -> Validator:
        """The validator of a schema: open, as for responses, or closed, as for strict requests."""
        key = (name, closed)
        if key not in self._validators:
            self._validators[key] = Validator(name, self.bundle(name), closed=closed)
        return self._validators[key]

    def _collect(self, name: str) -> Schema:
        reached: dict[str, Schema] = {}
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current not in reached:
                reached[current] = _rebase(self.document(current), current, waiting)
        head = {"$schema": _DIALECT, "description": self.document(name)["description"], "$ref": _local(name)}
        return {**head, "$defs": {_key(part): reached[part] for part in sorted(reached)}}


@cache
def load(revision: str = CURRENT) -> Schemas:
    """The schemas of `revision`, the same object on every call. Raises LookupError for an unknown one."""
    if revision not in REVISIONS:
        raise LookupError(f"no schemas for revision {revision!r}; there are {', '.join(REVISIONS)}")
    return Schemas(resources.folder("schemas") / revision)


def _rebase(part: Any, name: str, reached: list[str]) -> Any:
    """A copy of `part` of the file `name` whose references point into the bundle; their files join `reached`."""
    if isinstance(part, list):
        return [_rebase(item, name, reached) for item in part]
    if not isinstance(part, dict):
        return part
    copy = {key: _rebase(value, name, reached) for key, value in part.items() if key != "$schema"}
    if isinstance(part.get("$ref"), str):
        path, _, fragment = cast(str, part["$ref"]).partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else f"{name}.json"
        reached.append(target.removesuffix(".json"))
        copy["$ref"] = _local(reached[-1]) + fragment
    return copy


def _key(name: str) -> str:
    return name.replace("/", ".")


def _local(name: str) -> str:
    return f"#/$defs/{_key(name)}"
