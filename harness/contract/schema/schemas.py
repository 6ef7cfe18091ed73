"""The JSON Schemas of each revision of the API: found, bundled and closed, with validators for them.

The name of a schema is its file without the suffix: `interaction`, `event`, `events/step-delta`. Files refer to
each other by relative path; a bundle is the same schema with every file it reaches under `$defs`, so that
validators, and people who want one file, need no resolver. The folder of a revision contains only what differs
from its base, which its `revision.json` names; the unions of steps and deltas follow from the files there are
(`openness`). Must not know what the schemas say.

A `Validator` returns a fast yes or no, and on request the reasons and the unknowns. The API leaves out members
without a value; many servers write `null` instead, and the official SDKs read both alike. So a needless null is a
lenient reading, and the value is reviewed without it; a `null` in place of a required member stays a problem.
"""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Callable, Collection, Iterator
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec
from msgspec import Struct

from harness import resources
from harness.contract.schema import openness
from harness.contract.schema.explain import SchemaProblem, explain, json_type
from harness.contract.schema.openness import Schema, UnknownPart, step_into
from harness.files import read_file
from harness.outcome import Finding, Severity, Where
from harness.outcome.words import did_you_mean, list_some, nearest

if TYPE_CHECKING:
    import jsonschema_rs

_Kind: TypeAlias = tuple[str, str, frozenset[str]]


def drop_nulls(value: Any, pointers: Collection[str], at: str = "$") -> Any:
    """A copy of `value` without those of its members that are null and whose pointer is listed."""
    match value:
        case dict():
            places = ((name, member, step_into(at, name)) for name, member in value.items())
            return {
                name: drop_nulls(member, pointers, place)
                for name, member, place in places
                if member is not None or place not in pointers
            }
        case list():
            return [drop_nulls(item, pointers, step_into(at, index)) for index, item in enumerate(value)]
    return value


def split_nulls(
    value: Any, find: Callable[[Any], list[SchemaProblem]]
) -> tuple[Any, tuple[str, ...], list[SchemaProblem]]:
    """The value without its needless nulls, their pointers, and the problems that are left.

    `find` returns only a few problems at once, so nulls are judged by the kind of their place; a value with more
    kinds than a service would send keeps the rest of its nulls.
    """
    problems = find(value)
    if not any(map(_is_null, problems)):
        return value, (), problems
    kinds = dict(_list_nulls(value, "$", "$"))
    dropped: set[_Kind] = set()
    needed: set[_Kind] = set()
    nulls: dict[str, None] = {}
    trimmed = value
    for _ in range(20):  # more kinds than a service sends
        found = {kinds[problem.pointer] for problem in problems if _is_null(problem)} - dropped - needed
        if not found:
            break
        dropped |= found
        left = find(drop_nulls(value, _list_of(kinds, dropped)))
        missing = {step_into(p.pointer, p.missing) for p in left if p.missing}
        needed |= dropped & {kinds[pointer] for pointer in missing if pointer in kinds}
        dropped -= needed
        nulls = _list_of(kinds, dropped)
        trimmed = drop_nulls(value, nulls)
        problems = find(trimmed)
    return trimmed, tuple(nulls), problems


def _list_of(kinds: dict[str, _Kind], some: set[_Kind]) -> dict[str, None]:
    """The pointers of the nulls of some kinds, in the order of the value."""
    return {pointer: None for pointer, kind in kinds.items() if kind in some}


def _list_nulls(value: Any, at: str, place: str) -> Iterator[tuple[str, _Kind]]:
    """The pointer of each null member, and its kind: its place without indexes, and what stands beside it."""
    match value:
        case dict():
            beside = (str(value.get("type")), frozenset(value))
            for name, member in value.items():
                if member is None:
                    yield step_into(at, name), (step_into(place, name), *beside)
                else:
                    yield from _list_nulls(member, step_into(at, name), step_into(place, name))
        case list():
            for index, item in enumerate(value):
                yield from _list_nulls(item, step_into(at, index), f"{place}[]")


def _is_null(problem: SchemaProblem) -> bool:
    """Whether a member is null: an item of a list has a place of its own, which cannot be left out."""
    is_item = problem.pointer.endswith("]") and not problem.pointer.endswith('"]')
    return problem.actual == "null" and problem.pointer != "$" and not is_item


def null_finding(rule: str, pointers: tuple[str, ...]) -> Finding:
    """One lenient finding for all needless nulls of a value."""
    names = [pointer.removeprefix("$.") for pointer in pointers]
    verb = "is" if len(names) == 1 else "are"
    return Finding.from_code(
        f"{rule}/null",
        f"{list_some(names, 20)} {verb} null: optional fields without a value are left out",
        "a value, or no such field",
        "null",
        where=Where(pointer=pointers[0]),
        severity=Severity.NON_STRICT,
    )


__all__ = ["SchemaProblem", "Review", "UnknownPart", "Validator"]


class Review(Struct, frozen=True):
    """The review of a value that came from a service: faults (`problems`) and information (`unknowns`).

    `nulls` points at optional members that are null; `value` is what was reviewed, without these.
    """

    value: Any
    problems: tuple[SchemaProblem, ...] = ()
    unknowns: tuple[UnknownPart, ...] = ()
    nulls: tuple[str, ...] = ()


class Validator:
    """One compiled schema. Obtain it from `Schemas.validator`, which compiles each once per process.

    The twin that allows only what is listed is tried first. What it accepts, the schema accepts too; and without
    branches for the unknown it decides a union by its constants alone, five times as fast.
    """

    __slots__ = ("_open", "_schema", "_twin", "_whole", "name")

    def __init__(
        self,
        name: str,
        schema: Schema,
        *,
        closed: bool = False,
        close: Callable[..., Schema] = openness.close,
        kin: Validator | None = None,
    ) -> None:
        """Compile the self-contained open `schema`, or its closed twin; `close` makes the twin.

        `kin` is the open validator of the same schema beside a closed one, or the closed one beside an open one.
        """
        self.name = name
        self._open = schema
        self._schema = close(schema) if closed else schema
        self._twin: jsonschema_rs.Draft202012Validator = (
            _compile(close(schema, keep=False)) if kin is None else kin._twin
        )
        self._whole: jsonschema_rs.Draft202012Validator | None = None  # most values fit the twin

    @property
    def _compiled(self) -> jsonschema_rs.Draft202012Validator:
        if self._whole is None:
            self._whole = _compile(self._schema)
        return self._whole

    def is_valid(self, value: Any) -> bool:
        """Whether decoded JSON fits. Never raises: what JSON cannot express (a lone surrogate) does not fit."""
        try:
            return self._twin.is_valid(value) or self._compiled.is_valid(value)
        except ValueError:
            return False

    def problems(self, value: Any, *, limit: int = 5) -> list[SchemaProblem]:
        """At most `limit` reasons why `value` does not fit; empty if it fits.

        A value with very many members gets one: to list the errors of all branches of a union takes a millisecond.
        """
        try:
            if self._twin.is_valid(value) or self._compiled.is_valid(value):
                return []
            if _count_members(value) <= 500:
                errors = self._compiled.iter_errors(value)
            else:
                errors = iter([self._find_first_error(value)])
        except ValueError as refusal:
            return [SchemaProblem("$", f"is not JSON: {refusal}", "JSON", json_type(value), "json")]
        return explain(errors, self._schema, value)[:limit]

    def _find_first_error(self, value: Any) -> jsonschema_rs.ValidationError:
        import jsonschema_rs

        try:
            self._compiled.validate(value)
        except jsonschema_rs.ValidationError as error:
            return error
        raise AssertionError(f"{self.name} both accepts and refuses a value")

    def review(self, value: Any) -> Review:
        """Problems, unknowns and needless nulls; as fast as `is_valid` for what the closed twin accepts."""
        try:
            if self._twin.is_valid(value):
                return Review(value)
        except ValueError:  # which is a problem
            pass
        trimmed, nulls, problems = split_nulls(value, self.problems)
        unknowns = openness.unknowns(self._open, trimmed)
        return Review(trimmed, tuple(problems), tuple(unknowns), nulls)


def _compile(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(schema, retriever=_fetch_nothing)


def _fetch_nothing(address: str) -> Any:
    """Refuse to fetch an address in a schema, for which the library would otherwise send a request."""
    raise LookupError(f"{address} is not fetched")


def _count_members(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return len(inside) + sum(map(_count_members, inside))


REVISIONS: tuple[str, ...] = ("2026-05-20",)

REVISION_FILE = "revision.json"

_NOT_SCHEMAS = frozenset({"openapi.json", "strict", "bundled", REVISION_FILE})
_LEFT_OUT = openness.MARKS | {"$schema", "$comment", "$id", "examples"}
"""Keywords of files that a bundle does not repeat: they describe the file, or steps, but no value."""


class Schemas:
    """The schemas of one revision. Everything is found, read, bundled and compiled on first use, once."""

    def __init__(self, root: Path, base: Schemas | None = None) -> None:
        """`base` has the schemas that the folder `root` does not replace."""
        self.revision = root.name
        self._root = root
        self._base = base
        self._sources: dict[str, Schema] = {}
        self._documents: dict[str, Schema] = {}
        self._rebased: dict[str, tuple[Schema, list[str]]] = {}
        self._bundles: dict[str, Schema] = {}
        self._close = partial(openness.close_bundle, known={})
        self._validators: dict[tuple[str, bool], Validator] = {}

    @cached_property
    def as_of(self) -> str:
        """How new the schemas are, in words: the newest description of the API that they were compared with."""
        date = json.loads(read_file(self._root / REVISION_FILE)).get("as_of")
        return str(date) if date is not None or self._base is None else self._base.as_of

    @cached_property
    def files(self) -> dict[str, Path]:
        """The file of each schema by its name, without `openapi.json` and the strict files."""
        own = {}
        for folder, _, files in os.walk(self._root):  # `rglob` takes twice as long, and each first create waits
            inside = "".join(f"{part}/" for part in Path(folder).relative_to(self._root).parts)
            for file in files if inside.partition("/")[0] not in _NOT_SCHEMAS else ():
                if file.endswith(".json") and inside + file not in _NOT_SCHEMAS:
                    own[inside + file.removesuffix(".json")] = Path(folder, file)
        return own if self._base is None else {**self._base.files, **own}

    @cached_property
    def written(self) -> dict[str, Path]:
        """The files that no shipped revision has, but a user's folder."""
        if self._root.parent == resources.folder("schemas"):
            return {}
        inherited = self._base.written if self._base is not None else {}
        return {**inherited, **{name: path for name, path in self.files.items() if self._root in path.parents}}

    def names(self) -> list[str]:
        return sorted(self.files)

    def list_names(self, folder: str) -> list[str]:
        return sorted(name for name in self.files if name.startswith(f"{folder}/"))

    def document(self, name: str) -> Schema:
        """The schema as a document; shared, so do not change it. Raises LookupError for an unknown name."""
        if name not in self._documents:
            if name not in self.files:
                near = ", ".join(nearest(name, self.names())) or "see Schemas.names()"
                raise LookupError(f"no schema is named {name!r} in {self.revision}; near it: {near}")
            union = openness.UNIONS.get(name)
            self._documents[name] = self.read(name) if union is None else self._unite(name, union)
        return self._documents[name]

    def path(self, file: str) -> Path | None:
        """Where a file of the revision is, such as `openapi.json`; None if neither it nor its base has it."""
        own = self._root / file
        return own if own.is_file() else self._base.path(file) if self._base is not None else None

    def openapi(self) -> Schema:
        """The OpenAPI document of the revision, with references to the files beside it."""
        path = self.path("openapi.json")
        if path is None:
            raise LookupError(f"the revision {self.revision} has no openapi.json, and neither has its base")
        return cast("Schema", json.loads(read_file(path)))

    def bundle(self, name: str) -> Schema:
        """The schema as one self-contained document; shared, so do not change it."""
        if name not in self._bundles:
            reached: dict[str, Schema] = {}
            waiting = [name]
            while waiting:
                current = waiting.pop()
                if current not in reached:
                    reached[current], further = self._rebase(current)
                    waiting += further
            head = {
                "$schema": openness.DIALECT,
                "description": self.document(name)["description"],
                "$ref": _localize(name),
            }
            parts = {part.replace("/", "."): reached[part] for part in sorted(reached)}
            self._bundles[name] = {**head, "$defs": parts}
        return self._bundles[name]

    def validator(self, name: str, *, closed: bool = False) -> Validator:
        """The validator of a schema: open, as for responses, or closed, as for strict requests."""
        key = (name, closed)
        if key not in self._validators:
            kin = self._validators.get((name, not closed))
            self._validators[key] = Validator(name, self.bundle(name), closed=closed, close=self._close, kin=kin)
        return self._validators[key]

    def read(self, name: str) -> Schema:
        """The file of a schema as it is written, read once: what is looked at is what judges."""
        if name not in self._sources:
            data = read_file(self.files[name])
            try:
                self._sources[name] = msgspec.json.decode(data)
            except msgspec.DecodeError:
                # the standard library's error names the line, for folders that people wrote
                self._sources[name] = json.loads(data)
        return self._sources[name]

    def _unite(self, name: str, union: openness.Union | openness.Mixture) -> Schema:
        """The union of all files in its folder: those that its own file lists in that order, then the others."""
        there = self.list_names(union.folder)
        written = self.read(name)
        if isinstance(union, openness.Mixture):
            there = [*openness.list_members(self.document(union.beside)), *there]
        listed = [member for member in openness.list_members(written, union.where) if member in there]
        members = [*listed, *(member for member in there if member not in listed)]
        return union.document(written, {member: self.document(member) for member in members})

    def _rebase(self, name: str) -> tuple[Schema, list[str]]:
        """The file as a part of any bundle, and the names of the files that it refers to: read and copied once."""
        if name not in self._rebased:
            reached: list[str] = []

            def localize(reference: str) -> str:
                target, fragment = find_target(name, reference)
                reached.append(target)
                return _localize(target) + fragment

            self._rebased[name] = rewrite(self.document(name), localize, _LEFT_OUT), reached
        return self._rebased[name]


def schemas_in(folder: Path, heirs: tuple[Path, ...] = ()) -> Schemas:
    """The schemas of the revision in `folder`. Its base is a folder beside it, or one of `REVISIONS`.

    `heirs` are the folders that build on it. Raises LookupError if there is no such base, or if the folder does
    not name one.
    """
    file, base = folder / REVISION_FILE, _read_base(folder)
    if base is None:
        return Schemas(folder)
    beside = folder.parent / base
    if beside in (folder, *heirs):
        circle = " → ".join(heir.name for heir in (*heirs, folder, beside))
        raise LookupError(
            f"{file} names the base {base!r}, which builds on it ({circle}): name an older one, such "
            f"as {REVISIONS[-1]!r}"
        )
    if beside.is_dir():
        return Schemas(folder, schemas_in(beside, (*heirs, folder)))
    if base not in REVISIONS:
        hint = did_you_mean(
            base, REVISIONS, otherwise=f": name one of {', '.join(REVISIONS)}, or a folder beside it"
        )
        raise LookupError(f"{file} names the base {base!r}, which is not there{hint}")
    return Schemas(folder, load_schemas(base))


def _read_base(folder: Path) -> str | None:
    """The base that a folder names. Raises LookupError if it names none, or what no revision can be called."""
    file = folder / REVISION_FILE
    wanted = f'{file} must say {{"base": "{REVISIONS[-1]}"}}, or another revision that it differs from'
    try:
        record = json.loads(read_file(file))
    except (OSError, ValueError, RecursionError) as error:
        raise LookupError(f"{wanted}: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(record, dict) or "base" not in record:
        raise LookupError(f"{wanted}: it names no base")
    base = record["base"]
    if base is not None and (not isinstance(base, str) or not base or Path(base).name != base):
        raise LookupError(f"{wanted}: its base is {json.dumps(base)[:80]}")
    return base


@cache
def load_schemas(revision: str) -> Schemas:
    """The schemas of `revision`, the same object on every call. Raises LookupError for an unknown one."""
    if revision not in REVISIONS:
        near = nearest(revision, REVISIONS, most=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise LookupError(f"no schemas for revision {revision!r}; there are {', '.join(REVISIONS)}{hint}")
    return schemas_in(resources.folder("schemas") / revision)


def rewrite(part: Any, point: Callable[[str], str], left_out: Collection[str]) -> Any:
    """A copy of a part of a schema without some keywords; `point` makes its references from the old ones."""
    if isinstance(part, list):
        return [rewrite(item, point, left_out) for item in part]
    if not isinstance(part, dict):
        return part
    copy = {
        key: rewrite(value, point, left_out) if isinstance(value, dict | list) else value
        for key, value in part.items()
        if key not in left_out
    }
    if isinstance(part.get("$ref"), str):
        copy["$ref"] = point(part["$ref"])
    return copy


def find_target(name: str, reference: str) -> tuple[str, str]:
    """The name of the schema to which a `$ref` in the file of the schema `name` leads, and the place in it."""
    path, _, fragment = reference.partition("#")
    if not path:
        return name, fragment
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path)).removesuffix(".json"), fragment


def _localize(name: str) -> str:
    return f"#/$defs/{name.replace('/', '.')}"
