"""A digest of the state of a service and its client, equal for states that are the same up to renaming.

Layer 4. Ids are replaced by the order in which they appear. Times, signatures, and counters that the next id is
made from are left out. Everything else that the objects hold counts, including caches and half-read streams. The
whole object graph is walked, so that a mutant's own fields count as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Mapping
from enum import Enum
from functools import cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from harness.kit.search import PlaysHistory, StateReading

_SHORTEST_ID = 16
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class StateDigest:
    """One walk over the state; ids are named in the order in which the walk meets them."""

    def __init__(self, reading: StateReading) -> None:
        self._reading = reading
        names = "|".join(map(re.escape, sorted(reading.opaque))) or "(?!)"
        self._opaque = re.compile(rf'("(?:{names})":\s*")[^"]*')
        self._names: dict[str, str] = {}
        self._seen: dict[int, int] = {}
        self._out = hashlib.blake2b(digest_size=16)

    def add(self, value: Any) -> None:
        """Add a value to the digest."""
        self._walk(value)

    def digest(self) -> bytes:
        """The digest of all values added."""
        return self._out.digest()

    def _say(self, text: str) -> None:
        self._out.update(text.encode("utf-8", "surrogatepass"))
        self._out.update(b"\0")

    def _walk(self, value: Any) -> None:
        if value is None or isinstance(value, bool | int | float | Enum):
            self._say(repr(value))
        elif isinstance(value, str):
            self._say(self._rename_ids(value))
        elif isinstance(value, bytes | bytearray):
            self._say(self._rename_ids(bytes(value).decode("utf-8", "replace")))
        elif isinstance(value, Mapping):
            self._walk_mapping(value)
        elif isinstance(value, list | tuple):
            self._say(f"[{len(value)}")
            for item in value:
                self._walk(item)
        elif isinstance(value, set | frozenset):
            for item in sorted(map(str, value)):
                self._walk(item)
        elif isinstance(value, type | FunctionType | MethodType | BuiltinFunctionType):
            self._say(value.__qualname__)
        else:
            self._walk_object(value)

    def _walk_mapping(self, value: Mapping[Any, Any]) -> None:
        self._say(f"{{{len(value)}")
        items = list(value.items())
        if any(isinstance(key, str) and self._reading.ids.search(key) for key in value):
            items.sort(
                key=lambda item: self._rename_ids(str(item[0]))
            )  # the order of a table by id has no meaning
        for key, item in items:
            self._walk(key)
            self._walk("" if key in self._reading.opaque else item)

    def _walk_object(self, value: Any) -> None:
        number = self._seen.setdefault(id(value), len(self._seen))
        self._say(f"{type(value).__qualname__}#{number}")
        if number < len(self._seen) - 1:
            return
        for name in self._list_fields(value):
            self._say(name)
            self._walk(getattr(value, name, None))

    def _list_fields(self, value: Any) -> list[str]:
        own = sorted(getattr(value, "__dict__", ()))
        kind: Hashable = type(value)  # type: ignore[assignment,unused-ignore]
        return [name for name in (*_list_slots(kind), *own) if name not in self._reading.ignored]

    def _rename_ids(self, text: str) -> str:
        if len(text) < _SHORTEST_ID:
            return text
        text = _TIME.sub("", self._opaque.sub(r"\1", text))
        return self._reading.ids.sub(lambda found: self._names.setdefault(found[0], f"<{len(self._names)}>"), text)


@cache
def _list_slots(kind: Hashable) -> list[str]:
    names: list[str] = []
    assert isinstance(kind, type)
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += (slots,) if isinstance(slots, str) else slots
    return names


def digest_state(service: Any, player: PlaysHistory, reading: StateReading) -> bytes:
    """The digest of a service and its client; what the client knows in no order counts in none."""
    return min(_digest((*view, reading.read(service)), reading) for view in player.list_views())


def _digest(values: tuple[Any, ...], reading: StateReading) -> bytes:
    walk = StateDigest(reading)
    for value in values:
        walk.add(value)
    return walk.digest()
