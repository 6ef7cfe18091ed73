"""Turns a schema of the contract into a strategy for the values it lists.

Knows JSON Schema as this project writes it: the closed twins of the files, in which constants distinguish the
branches of every union. Rules between fields (`allOf`, `if`) are ignored; the code that composes a message must
keep them. Objects take only a few of their optional fields at a time, so that values stay small and shrink well. A
field or branch is taken more often the more there is below it, so that deeply nested parts are not rare.
"""

from __future__ import annotations

import base64
from bisect import bisect
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from math import isqrt
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.contract import CURRENT, Contract, load
from harness.contract.schema.openness import Schema, close


def contract_or_current(contract: Contract | None) -> Contract:
    """`contract`, or that of the current revision: strategies are public, and most tests mean the API of today."""
    return contract if contract is not None else load(CURRENT)


# The leaves: texts, identifiers, base64, times, and small JSON values.
# Kept small on purpose: the shape of a message breaks an implementation far more often than its length.


SMALL = st.integers(0, 1000)

NUMBERS = st.one_of(st.integers(0, 100), st.floats(0, 1, allow_nan=False, width=32))

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ("Say hi.", "déjà vu", "東京 🦊", "a\nb", "\u2028", '"quoted"', "\\", "data: x\n\n", "[DONE]")
    ),
)
"""Any text, including strings that often break parsers."""

WORDS = st.sampled_from(("a", "b", "lookup", "get_weather", "city", "x1"))

IDS = st.integers(0, 2**24).map(lambda number: f"v1_{number:x}")
"""Identifiers that look like those of services; clients must treat them as opaque."""

BASE64 = st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode("ascii"))

_DAY_ONE = datetime(2026, 6, 9, tzinfo=UTC)


def moment(seconds: int) -> str:
    """The time `seconds` after the first day of today's API, in the service's format."""
    return (_DAY_ONE + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


MOMENTS = st.integers(0, 10**7).map(moment)

_SCALARS: SearchStrategy[Any] = st.one_of(TEXTS, SMALL, st.booleans(), st.none())

OBJECTS: SearchStrategy[dict[str, Any]] = st.dictionaries(
    WORDS, st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2)), max_size=2
)
"""Free JSON objects: arguments, results, schemas, metadata."""

_LABEL_FIRST, _LABEL_REST = "abcxyzéß", "abcxyz019_-é"

LABEL_NAMES = st.builds(
    str.__add__, st.sampled_from(_LABEL_FIRST), st.text(alphabet=_LABEL_REST, max_size=5)
)  # as the published rule allows: a letter, then lower-case letters, digits, _ and -
LABEL_VALUES = st.text(alphabet=_LABEL_REST, max_size=6)


Strategy = SearchStrategy[Any]

MOST_OPTIONAL = 4
"""The largest number of optional fields that one object has at a time."""

ROOTS = ("interaction", "event", "requests/create-interaction")
"""The messages whose parts are generated."""

_BY_NAME: dict[str, Strategy] = {
    "signature": BASE64,
    "data": BASE64,
    "id": IDS,
    "call_id": IDS,
    "start_offset": st.sampled_from(("0s", "1.5s")),
    "end_offset": st.sampled_from(("2s", "30s")),
}
"""Strategies for strings whose field name says more than their type."""

_LEAVES: dict[str, Strategy] = {"integer": SMALL, "number": NUMBERS, "boolean": st.booleans(), "null": st.none()}


class Shapes:
    """Strategies for the parts of the bundled schemas; `special` overrides parts that need more than a shape."""

    def __init__(self, definitions: Mapping[str, Schema], special: Mapping[str, Strategy] | None = None) -> None:
        self._definitions = definitions
        self._special = dict(special or {})
        self._made: dict[str, Strategy] = {}

    def at(self, pointer: str) -> Strategy:
        """The strategy for a part, such as `steps.thought` or `steps.thought/$defs/shell`."""
        if pointer in self._special:
            return self._special[pointer]
        if pointer not in self._made:
            self._made[pointer] = st.deferred(lambda: self.of(self.schema(pointer)))
        return self._made[pointer]

    def schema(self, pointer: str) -> Schema:
        """The closed schema of a part; a reference at its top is resolved."""
        return merge_reference({"$ref": f"#/$defs/{pointer}"}, self._definitions)

    def of(self, schema: Schema, name: str = "") -> Strategy:
        """The strategy for a schema; `name` is the field that holds the value."""
        if "$ref" in schema and not schema.get("required"):
            return self.at(pointer_of(schema["$ref"]))
        schema = merge_reference(schema, self._definitions)
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        for union in ("oneOf", "anyOf"):
            if union in schema:
                return weighted_choice([(self.weight(branch), self.of(branch, name)) for branch in schema[union]])
        match schema.get("type", "object"):  # a schema that accepts anything gets an object
            case "string" if "pattern" in schema:
                return MOMENTS  # times are the only listed strings with a pattern
            case "string" if "not" in schema:
                return SMALL.map(str)  # digits of a 64-bit count
            case "string":
                return _BY_NAME.get(name, TEXTS)
            case "array":
                return st.lists(self.of(schema["items"]), min_size=schema.get("minItems", 0), max_size=2)
            case "object" if schema.get("properties"):
                return self.members(schema["properties"], frozenset(schema.get("required", ())))
            case "object" if isinstance(others := schema.get("additionalProperties"), dict):
                return st.dictionaries(WORDS, self.of(others), max_size=2)
            case "object":
                return OBJECTS
            case kind:
                return _LEAVES[kind]

    def members(
        self, properties: Mapping[str, Schema], required: frozenset[str] = frozenset(), most: int = MOST_OPTIONAL
    ) -> Strategy:
        """Objects with some of these properties, each chosen by its weight."""
        members = {name: self.of(part, name) for name, part in properties.items()}
        weights = {name: self.weight(part) for name, part in properties.items()}
        return objects(members, required, most, weights)

    def weight(self, schema: Schema) -> int:
        """How often to take a branch or field: grows with the square root of the number of parts below it.

        A weight proportional to that number would make small parts beside large ones too rare.
        """
        return isqrt(100 * self._count_below(schema, set()))

    def _count_below(self, schema: Schema, seen: set[str]) -> int:
        """The number of branches, fields and items below a schema; each referenced part counts once."""
        if "$ref" in schema:
            pointer = pointer_of(schema["$ref"])
            if pointer in seen:
                return 0
            seen.add(pointer)
        schema = merge_reference(schema, self._definitions)
        parts = [*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("properties", {}).values()]
        parts += [part for key in ("items", "additionalProperties") if isinstance(part := schema.get(key), dict)]
        return 1 + sum(self._count_below(part, seen) for part in parts)


@st.composite
def objects(
    draw: st.DrawFn,
    members: Mapping[str, Strategy],
    required: frozenset[str] = frozenset(),
    most: int = MOST_OPTIONAL,
    weights: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Objects with every required member and a few of the others, in the order of `members`."""
    optional = [name for name in members if name not in required]
    chosen = set(required)
    if optional:
        sums = list(accumulate((weights or {}).get(name, 1) for name in optional))
        for _ in range(draw(st.integers(0, min(most, len(optional))))):
            chosen.add(optional[bisect(sums, draw(st.integers(0, sums[-1] - 1)))])
    return {name: draw(strategy) for name, strategy in members.items() if name in chosen}


def weighted_choice(choices: Sequence[tuple[int, Strategy]]) -> Strategy:
    """Draw from one of several strategies, in proportion to their weights; shrinks towards the first."""
    sums = list(accumulate(weight for weight, _ in choices))
    return st.integers(0, sums[-1] - 1).flatmap(lambda number: choices[bisect(sums, number)][1])


def merge_reference(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A schema merged with the one it refers to; here only `required` and prose occur beside a reference."""
    while "$ref" in schema:
        target: Any = definitions
        for key in pointer_of(schema["$ref"]).split("/"):
            target = target[key]
        beside = {name: part for name, part in schema.items() if name != "$ref"}
        required = [*target.get("required", ()), *beside.get("required", ())]
        schema = {**target, **beside, "required": required}
    return schema


def pointer_of(reference: str) -> str:
    """The pointer below `$defs` of a reference within a bundle."""
    return reference.removeprefix("#/$defs/")


@cache
def definitions(contract: Contract) -> dict[str, Schema]:
    """The closed schemas of the parts of generated messages, by name."""
    found: dict[str, Schema] = {}
    for root in ROOTS:
        found.update(close(contract.schemas.bundle(root), keep=False)["$defs"])
    return found
