"""Find the parts of a request that distinguish those that failed from those of the same call that did not.

Pure. A part is a member at any depth or a parameter, with the type of its value, or the value itself if it is
true, false, or one word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from typing import Any

from harness.wire import Request
from harness.wire.json_value import json_or_none

MOST = 3
"""Parts that are named; more distinguish nothing."""


_TYPES = {list: "a list", dict: "an object", str: "a string", type(None): "null"}

_WORD = re.compile(r"[a-z][a-z_]{2,23}")
"""A text that chooses one of a few things, such as a type, a role or a mode."""

Part = tuple[str, str]
"""The place of a value, and what it is."""


def name_distinctions(failed: Iterable[Set[Part]], passed: Iterable[Set[Part]]) -> str:
    """Name the parts that each failed request has and none that passed, for a message; "" if none or many are.

    Without a request that passed, nothing distinguishes.
    """
    others = list(passed)
    known = frozenset[Part]().union(*others)
    strange = frozenset.intersection(*map(frozenset, failed)) - known if others else ()
    places = {place for place, _ in known}
    outer = [
        part
        for part in sorted(strange)
        if not any(part[0].startswith((f"{place}.", f"{place}[]")) for place, _ in strange if place != part[0])
    ]
    named = [f"`{place}`" if place not in places else f"`{place}` {what}" for place, what in outer]
    return " and ".join(named) if len(named) <= MOST else ""


def list_parts(request: Request) -> frozenset[Part]:
    """Every part of the body and of the query of a request."""
    query = {name: {"true": True, "false": False}.get(value, value) for name, value in request.query}
    return frozenset((*_list_parts(json_or_none(request.body)), *_list_parts(query)))


def _list_parts(value: Any, place: str = "", depth: int = 0) -> Iterator[Part]:
    """Every part of a value, from the outside."""
    if depth > 12:
        return
    if place:
        is_word = isinstance(value, str) and _WORD.fullmatch(value)
        kind = f'"{value}"' if is_word else _TYPES.get(type(value), "a number")
        kind = str(value).lower() if isinstance(value, bool) else kind
        yield place, f"of {kind}" if kind.startswith('"') else f"as {kind}"
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _list_parts(inner, f"{place}.{name}" if place else str(name), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_parts(inner, f"{place}[]", depth + 1)
