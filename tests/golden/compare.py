"""Compares two recordings and shows what differs: in JSON the path and both values, else the changed lines."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.golden.sections import read_sections

_WIDTH = 240
_NAMES = ("id", "rule", "name", "plan", "case", "file", "mutant", "engine", "exercise")
"""Fields by which an item of a list is known, the first that tells all items apart."""


def differences(before: Path, after: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each item that is not the same in both folders, with lines that say how."""
    one, other = _files(before), _files(after)
    for name in sorted({*one, *other}):
        if name not in other:
            yield name, ["- only in the first recording"]
        elif name not in one:
            yield name, ["+ only in the second recording"]
        elif lines := list(compare_texts(one[name].read_text("utf-8"), other[name].read_text("utf-8"))):
            yield name, lines


def _files(folder: Path) -> dict[str, Path]:
    return {str(path.relative_to(folder).with_suffix("")): path for path in folder.rglob("*.txt")}


def compare_texts(before: str, after: str) -> Iterator[str]:
    """Yield the lines that say how two recorded files differ, nothing for equal ones."""
    if before == after:
        return
    one, other = _places(before), _places(after)
    for place in [*one, *(place for place in other if place not in one)]:
        first, second = one.get(place), other.get(place)
        if first == second:
            continue
        yield f"in {place.title} of `{place.command[:_WIDTH]}`"
        if first is None or second is None:
            yield "- only in the first recording" if second is None else "+ only in the second recording"
        else:
            yield from _compare_sections(first, second)


class _Place(NamedTuple):
    """Where a section stands: the command it belongs to (and which of several equal ones), and its title."""

    command: str
    number: int
    title: str


def _places(text: str) -> dict[_Place, str]:
    command, seen, made = "", Counter[str](), dict[_Place, str]()
    for title, content in read_sections(text):
        if title == "command":
            command = content.strip()
            seen[command] += 1
        else:
            made[_Place(command, seen[command], title)] = content
    return made


def _compare_sections(first: str, second: str) -> Iterator[str]:
    one, other = _json(first), _json(second)
    if one is not None and other is not None:
        yield from _compare_values("", one, other)
    else:
        yield from _diff("", first.splitlines(), second.splitlines())


def _json(text: str) -> Any:
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _compare_values(path: str, one: Any, other: Any) -> Iterator[str]:
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):  # 1, 1.0 and true are three values
        return
    if isinstance(one, list) and isinstance(other, list):
        by = next((name for name in _NAMES if _known_by(one, name) and _known_by(other, name)), None)
        if by is None:
            yield from _diff(f"{path}: ", [_shown(item) for item in one], [_shown(item) for item in other])
            return
        order = [item[by] for item in one], [item[by] for item in other]
        if sorted(order[0]) == sorted(order[1]) and order[0] != order[1]:
            yield f"{path}: the same items in another order"
        one, other = {item[by]: item for item in one}, {item[by]: item for item in other}
    if isinstance(one, dict) and isinstance(other, dict):
        yield from _compare_fields(path, one, other)
    else:
        yield f"{path}: {_shown(one)} → {_shown(other)}"


def _compare_fields(path: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for name in [*one, *(name for name in other if name not in one)]:
        place = f"{path}/{name}"
        if name not in other:
            yield f"- {place}: {_shown(one[name])}"
        elif name not in one:
            yield f"+ {place}: {_shown(other[name])}"
        else:
            yield from _compare_values(place, one[name], other[name])


def _known_by(items: list[Any], name: str) -> bool:
    """Whether this field tells all items of a list apart."""
    known = [item.get(name) for item in items if isinstance(item, dict)]
    return len(known) == len(items) == len({str(value) for value in known}) and all(
        isinstance(value, str) for value in known
    )


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def _diff(start: str, one: list[str], other: list[str]) -> Iterator[str]:
    """The lines that were taken away and added, without context, long ones cut at where they begin to differ."""
    for line in difflib.unified_diff(one, other, lineterm="", n=0):
        if not line.startswith(("---", "+++", "@@")):
            yield f"{line[0]} {start}{line[1 : _WIDTH + 1]}"
