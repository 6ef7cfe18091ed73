"""How a defect changes a JSON value or the frames of a stream, and what a legal server may write differently.

Layer 2, pure. A path names members of objects; `*` is each item of an array. Must not know requests or scenes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]
Json: TypeAlias = Any

GONE = object()
"""What a change returns to remove the member."""


def format_path(path: Path) -> str:
    """Return a path as text: `steps.*.type`."""
    return ".".join(path)


def list_paths(value: Json, before: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Yield each member of a JSON value with its path."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield (*before, name), member
            yield from list_paths(member, (*before, name))
    elif isinstance(value, list):
        for item in value:
            yield from list_paths(item, (*before, "*"))


def edit_member(value: Json, path: Path, change: Callable[[Json], Json]) -> None:
    """Apply a change to each member that the path names."""
    head, rest = path[0], path[1:]
    if head == "*":
        if isinstance(value, list):
            for item in value:
                edit_member(item, rest, change)
    elif isinstance(value, dict) and head in value:
        if rest:
            edit_member(value[head], rest, change)
        elif (changed := change(value[head])) is GONE:
            del value[head]
        else:
            value[head] = changed


def empty(value: Json) -> Json:
    """Return the empty value of the same type; null where a type has none."""
    return type(value)() if isinstance(value, str | list | dict) else None


def retype(value: Json) -> Json:
    """Return a value of another type."""
    if isinstance(value, str):
        return 17
    if isinstance(value, dict):
        return [value]
    return {"value": value} if isinstance(value, list) else json.dumps(value)


def cut(value: Json) -> Json:
    """Return the first half of a value."""
    if isinstance(value, str | list):
        return value[: len(value) // 2]
    if isinstance(value, dict):
        return dict(list(value.items())[: len(value) // 2])
    return value // 2 if isinstance(value, int) and not isinstance(value, bool) else value


# Frames of a stream: blocks of lines that end with a blank line.


_DATA = re.compile(rb"^data: (.*)$", re.MULTILINE)


def payload_of(block: bytes) -> Json:
    """Return the JSON of a frame; None for any other data."""
    found = _DATA.search(block)
    if found is None:
        return None
    try:
        return json.loads(found[1])
    except ValueError:
        return None


def with_payload(block: bytes, payload: Json) -> bytes:
    """Return the frame with other JSON."""
    data = b"data: " + encode(payload)
    return _DATA.sub(lambda _: data, block, count=1)


def encode(value: Json) -> bytes:
    """Return a JSON value as bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def type_of(payload: Json) -> str:
    """Return the type of an event, with the type of its delta or step; `""` for none."""
    if not isinstance(payload, dict):
        return ""
    name = payload.get("event_type")
    inner = payload.get("delta") or payload.get("step")
    kind = inner.get("type") if isinstance(inner, dict) else None
    return f"{name}:{kind}" if isinstance(kind, str) else str(name or "")


# What a legal server may write differently.


def reverse_keys(value: Json) -> Json:
    """Return the value with the members of each object in reverse order."""
    if isinstance(value, dict):
        return {name: reverse_keys(value[name]) for name in reversed(value)}
    return [reverse_keys(item) for item in value] if isinstance(value, list) else value


def add_unknown(value: Json) -> Json:
    """Return the value with one more member in its outermost object."""
    return {**value, "x_future_field": {"note": "a later revision"}} if isinstance(value, dict) else value


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def respell_times(value: Json, spelling: str) -> Json:
    """Return the value with each UTC instant ending in `spelling`, such as `.000Z` or `+00:00`."""
    if isinstance(value, dict):
        return {name: respell_times(member, spelling) for name, member in value.items()}
    if isinstance(value, list):
        return [respell_times(item, spelling) for item in value]
    if isinstance(value, str) and _TIME.fullmatch(value):
        return value.partition(".")[0].removesuffix("Z") + spelling
    return value
