"""Finds members that are `null` where the schema wants a value or nothing, and reviews the value without them.

Layer 1. The API leaves out what has no value. Many servers write `null` instead, and the official SDKs read both
alike: so it is a lenient reading of the schema, and what follows from it is no second fault. A `null` in place of
a required member stays a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from harness.contract.schema.explain import SchemaProblem
from harness.contract.schema.openness import step_into
from harness.outcome import Finding, Severity, Where
from harness.outcome.words import list_some

_SHOWN = 3


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
    """The value without its needless nulls, their pointers, and the problems that are left."""
    problems = find(value)
    dropped: dict[str, None] = {}
    needed: set[str] = set()
    trimmed = value
    while found := [p.pointer for p in problems if _is_null(p) and p.pointer not in dropped.keys() | needed]:
        dropped |= dict.fromkeys(found)
        lacking = {step_into(p.pointer, p.missing) for p in find(drop_nulls(value, dropped)) if p.missing}
        needed |= dropped.keys() & lacking
        dropped = {pointer: None for pointer in dropped if pointer not in needed}
        trimmed = drop_nulls(value, dropped)
        problems = find(trimmed)
    return trimmed, tuple(dropped), problems


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
