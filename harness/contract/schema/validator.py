"""Validates a value against a schema: a fast yes or no, and on request the reasons and the unknowns.

The API leaves out members without a value; many servers write `null` instead, and the official SDKs read both
alike. So a needless null is a lenient reading, and the value is reviewed without it; a `null` in place of a
required member stays a problem. Knows jsonschema-rs; must not know where schemas come from or what they
describe.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from harness.contract.schema import openness
from harness.contract.schema.explain import SchemaProblem, explain, json_type
from harness.contract.schema.openness import Schema, UnknownPart, step_into
from harness.outcome import Finding, Severity, Where
from harness.outcome.words import list_some

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
        f"{list_some(names, 3)} {verb} null: optional fields without a value are left out",
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
