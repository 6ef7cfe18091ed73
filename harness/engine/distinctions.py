"""Find the parts of a body that distinguish a failed request from the accepted requests of its call.

Layer 4, pure. A part is a member at any depth, the type of a value, or the value of a member such as `type`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from harness.wire.json_value import json_or_none

MOST = 3
"""Parts that are named; more distinguish nothing."""


_TYPES = {list: "a list", dict: "an object", str: "a string", bool: "a boolean", type(None): "null"}

_KINDS = frozenset({"type", "role"})
"""Members whose value says what kind of thing holds them."""

Part = tuple[str, str]
"""The place of a value, and what it is."""


def name_distinctions(failed: bytes, accepted: Iterable[bytes]) -> str:
    """Name the parts of a body that no accepted one has, for a message; "" if there are none, or many."""
    known: set[Part] = set()
    for body in accepted:
        known.update(_list_parts(json_or_none(body)))
    if not known:
        return ""
    places = {place for place, _ in known}
    strange: list[Part] = [part for part in dict.fromkeys(_list_parts(json_or_none(failed))) if part not in known]
    outer = [
        part
        for part in strange
        if not any(part[0].startswith((f"{place}.", f"{place}[]")) for place, _ in strange if place != part[0])
    ]
    named = [f"`{place}`" if place not in places else f"`{place}` {what}" for place, what in outer]
    return " and ".join(named) if len(named) <= MOST else ""


def _list_parts(value: Any, place: str = "", depth: int = 0) -> Iterator[Part]:
    """Every part of a value, from the outside."""
    if depth > 12:
        return
    if place:
        name = place.rpartition(".")[2]
        kind = f'"{value}"' if name in _KINDS and isinstance(value, str) else _TYPES.get(type(value), "a number")
        yield place, f"of {kind}" if kind.startswith('"') else f"as {kind}"
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _list_parts(inner, f"{place}.{name}" if place else str(name), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_parts(inner, f"{place}[]", depth + 1)
