"""Compares two lists of steps by what they mean, not by how that was split into parts.

Layer 1. Adjacent text parts are joined, empty fields count as absent, and leading input and fields that streams
never carry are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from harness.contract.data.output import count_given
from harness.outcome.words import shorten

LIMIT = 20
"""The most differences that are returned."""

_NEVER_STREAMED = frozenset({"search_type"})
"""Fields of whole steps that no event of a recorded stream carries and no delta type lists."""

_SHOWN = 80
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two lists of steps differ; `pointer` counts the output steps from 0."""

    pointer: str
    assembled: str
    got: str

    def __str__(self) -> str:
        return f"{self.pointer}: {self.assembled} against {self.got}"


def compare_steps(assembled: Sequence[Any], got: Sequence[Any]) -> list[Difference]:
    """The differences between steps assembled from a stream and steps that GET or POST returned."""
    try:
        one, other = ([_normalise(step) for step in steps[count_given(steps) :]] for steps in (assembled, got))
        if one == other:
            return []
        found = _find_differences(one, other, "$.steps")
        return [difference for difference, _ in zip(found, range(LIMIT), strict=False)]
    except RecursionError:
        return [Difference("$.steps", "nested too deep to compare", "nested too deep to compare")]


def _normalise(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    fields = dict(step)
    for name in ("content", "summary"):
        if isinstance(fields.get(name), list):
            fields[name] = _join_text(fields[name])
    return {
        name: value
        for name, value in fields.items()
        if value not in (None, "", [], {}) and name not in _NEVER_STREAMED
    }


def _join_text(parts: list[Any]) -> list[Any]:
    """The parts, with adjacent text parts joined and empty ones removed."""
    joined: list[Any] = []
    for part in parts:
        if isinstance(part, dict) and part.get("type", "text") == "text":
            part = {"type": "text", "text": "", **{k: v for k, v in part.items() if v not in (None, [])}}
        match joined[-1:], part:
            case [{"type": "text", "text": str(before)} as last], {"type": "text", "text": str(text)}:
                notes = [*last.get("annotations", ()), *part.get("annotations", ())]
                joined[-1] = {**last, **part, "text": before + text}
                if notes:
                    joined[-1]["annotations"] = notes
            case _:
                joined.append(part)
    return [part for part in joined if part != {"type": "text", "text": ""}]


def _find_differences(one: Any, other: Any, pointer: str) -> Iterator[Difference]:
    match one, other:
        case dict(), dict():
            for name in sorted({*one, *other}):
                yield from _find_differences(one.get(name, _ABSENT), other.get(name, _ABSENT), f"{pointer}.{name}")
        case list(), list():
            for index, pair in enumerate(zip_longest(one, other, fillvalue=_ABSENT)):
                yield from _find_differences(*pair, f"{pointer}[{index}]")
        case str(), str() if one != other:
            at = common_length(one, other)
            yield Difference(f"{pointer} from character {at}", _show(one[at:]), _show(other[at:]))
        case _ if one != other:
            yield Difference(pointer, _show(one), _show(other))


def common_length(one: str, other: str) -> int:
    """The number of characters that two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _show(value: Any) -> str:
    return "absent" if value is _ABSENT else shorten(repr(value), _SHOWN)
