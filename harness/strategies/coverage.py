"""Measures how much of the schemas a strategy reaches: union branches, optional fields present and absent.

Layer 2. `python -m harness.strategies.coverage [DRAWS]` draws from every strategy and prints which places were
reached, which were missed, and which no legal message can reach.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from harness.contract.schema.openness import Schema
from harness.strategies.from_schema import ROOTS, contract_or_current, definitions, pointer_of

Place = tuple[str, str]
"""A part of the schemas, and what to see there: `+field` (present), `-field` (absent), or a branch."""


UNREACHABLE: Mapping[str, Mapping[Place, str]] = {
    "event": {
        ("events.step-start/properties/step", "steps.user-input/$defs/shell"): "a run never announces the input",
        ("interaction-partial", "+steps"): "stream.completed-no-steps: no event of a stream repeats the steps",
    },
}
"""Places in the schemas that no legal message has, with the reason, by root; everything below them is left out."""

DRAWS = 10_000
"""Enough draws to miss no place; 5,000 draws miss at most one."""


class Coverage:
    """The places shown by values of one root: pass each to `see`, then read `missed` or `share`."""

    def __init__(self, root: str) -> None:
        self._root = root.replace("/", ".")
        self.seen: set[Place] = set()

    def see(self, value: Any) -> None:
        """Record the places that a value shows."""
        self._walk(self._root, value)

    @property
    def missed(self) -> set[Place]:
        """Places that no value showed."""
        return set(places(self._root)) - self.seen

    @property
    def share(self) -> float:
        """The fraction of all places that was seen."""
        everything = set(places(self._root))
        return len(everything & self.seen) / len(everything)

    def _walk(self, pointer: str, value: Any) -> None:
        for part, schema in _find_fitting(pointer, value):
            if part != pointer:
                self.seen.add((pointer, part))
            if isinstance(value, dict):
                self._enter_members(part, schema, value)
            elif isinstance(value, list) and isinstance(schema.get("items"), dict):
                for item in value:
                    self._walk(f"{part}/items", item)

    def _enter_members(self, pointer: str, schema: Schema, value: dict[str, Any]) -> None:
        for name in schema.get("properties", ()):
            self.seen.add((pointer, f"{'+' if name in value else '-'}{name}"))
            if name in value:
                self._walk(f"{pointer}/properties/{name}", value[name])


def _resolve(pointer: str) -> tuple[str, Schema]:
    """Resolve a pointer, following references: the final pointer and the schema there."""
    head, *keys = pointer.split("/")
    part: Any = definitions(contract_or_current(None))[head]
    for key in keys:
        part = part[int(key)] if isinstance(part, list) else part[key]
    extra = part.get("required", []) if "$ref" in part else []
    if "$ref" in part:
        place, target = _resolve(pointer_of(part["$ref"]))
        return place, {**target, "required": [*target.get("required", []), *extra]}
    return pointer, part


def _list_branches(pointer: str) -> list[str]:
    place, schema = _resolve(pointer)
    return [f"{place}/{union}/{n}" for union in ("oneOf", "anyOf") for n in range(len(schema.get(union, ())))]


def _find_fitting(pointer: str, value: Any) -> Iterator[tuple[str, Schema]]:
    """The schema that describes a value: the part itself, or the union branch whose constants and type fit."""
    place, schema = _resolve(pointer)
    branches = _list_branches(pointer)
    if not branches:
        yield place, schema
        return
    for branch in branches:
        if _fits(branch, value):
            yield from _find_fitting(branch, value)
            return


_JSON: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
}  # fmt: skip


def _fits(pointer: str, value: Any) -> bool:
    _, schema = _resolve(pointer)
    if branches := _list_branches(pointer):
        return any(_fits(branch, value) for branch in branches)
    kind = schema.get("type")
    truth = isinstance(value, bool) and kind != "boolean"
    if kind is not None and (truth or not isinstance(value, _JSON[kind])):
        return False
    if not isinstance(value, dict):
        return "const" not in schema or schema["const"] == value
    constants = {name: part["const"] for name, part in schema.get("properties", {}).items() if "const" in part}
    return all(value.get(name, wanted) == wanted for name, wanted in constants.items())


@lru_cache
def places(root: str) -> frozenset[Place]:
    """All places that legal messages can have."""
    found: set[Place] = set()
    never = UNREACHABLE.get(root, {})
    waiting, done = [root], set()
    while waiting:
        pointer = waiting.pop()
        place, schema = _resolve(pointer)
        if place in done:
            continue
        done.add(place)
        for branch in _list_branches(pointer):
            part, _ = _resolve(branch)
            if (pointer, part) in never:
                continue
            if not _list_branches(branch):
                found.add((pointer, part))
            waiting.append(branch)
        required = set(schema.get("required", ()))
        for name in schema.get("properties", {}):
            if name not in required:
                found.add((place, f"-{name}"))
            if (place, f"+{name}") in never:
                continue
            found.add((place, f"+{name}"))
            waiting.append(f"{place}/properties/{name}")
        if isinstance(schema.get("items"), dict):
            waiting.append(f"{place}/items")
    return frozenset(found)


def measure(root: str, draws: int) -> Coverage:
    """Draw `draws` values from the strategy for one of `ROOTS` and return their coverage."""
    from hypothesis import HealthCheck, Phase, given, settings

    from harness.strategies import create_requests, event_streams, interactions

    coverage = Coverage(root)
    streams = event_streams().map(lambda stream: stream.events)
    strategy: Any = {"interaction": interactions().map(lambda value: (value,)), "event": streams}.get(
        root, create_requests().map(lambda body: (body,))
    )

    @settings(
        max_examples=draws, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def draw(values: tuple[Any, ...]) -> None:
        for value in values:
            coverage.see(value)

    draw()
    return coverage


def _print(draws: int) -> None:
    for root in ROOTS:
        coverage = measure(root, draws)
        missed = sorted(coverage.missed)
        sys.stdout.write(f"{root}: {len(places(root.replace('/', '.')))} places, {coverage.share:.1%} reached\n")
        for place, what in missed:
            sys.stdout.write(f"  missed {place} {what}\n")
        for (place, what), why in UNREACHABLE.get(root, {}).items():
            sys.stdout.write(f"  left out {place} {what}: {why}\n")


if __name__ == "__main__":
    _print(int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS)
