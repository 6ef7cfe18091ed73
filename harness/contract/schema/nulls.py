"""Finds members that are `null` where the schema wants a value or nothing, and reviews the value without them.

Layer 1. The API leaves out what has no value. Many servers write `null` instead, and the official SDKs read both
alike: so it is a lenient reading of the schema, and what follows from it is no second fault. A `null` in place of
a required member stays a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeAlias

from harness.contract.schema.explain import SchemaProblem
from harness.contract.schema.openness import step_into
from harness.outcome import Finding, Severity, Where
from harness.outcome.words import list_some

_SHOWN = 3
_ROUNDS = 20

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

    `find` tells only a few problems at once, so nulls are judged by the kind of their place; a value with more
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
    for _ in range(_ROUNDS):
        found = {kinds[problem.pointer] for problem in problems if _is_null(problem)} - dropped - needed
        if not found:
            break
        dropped |= found
        missing = {step_into(p.pointer, p.missing) for p in find(_drop_kinds(value, kinds, dropped)) if p.missing}
        needed |= dropped & {kinds[pointer] for pointer in missing if pointer in kinds}
        dropped -= needed
        nulls = {pointer: None for pointer, kind in kinds.items() if kind in dropped}
        trimmed = drop_nulls(value, nulls)
        problems = find(trimmed)
    return trimmed, tuple(nulls), problems


def _drop_kinds(value: Any, kinds: dict[str, _Kind], dropped: set[_Kind]) -> Any:
    return drop_nulls(value, {pointer for pointer, kind in kinds.items() if kind in dropped})


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
    return problem.actual == "null" and problem.pointer != "$" and not _is_item(problem.pointer)


def _is_item(pointer: str) -> bool:
    return pointer.endswith("]") and not pointer.endswith('"]')


def null_finding(rule: str, pointers: tuple[str, ...]) -> Finding:
    """One lenient finding for all needless nulls of a value."""
    names = [pointer.removeprefix("$.") for pointer in pointers]
    verb = "is" if len(names) == 1 else "are"
    return Finding.from_code(
        f"{rule}/null",
        f"{list_some(names, _SHOWN)} {verb} null: optional fields without a value are left out",
        "a value, or no such field",
        "null",
        where=Where(pointer=pointers[0]),
        severity=Severity.NON_STRICT,
    )
