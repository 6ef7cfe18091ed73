"""A digest of the state of an emulator and its client, equal for states that are the same up to renaming.

Layer 4. Ids are replaced by the order in which they appear. Times, signatures, and counters that the next id is
made from are left out. Everything else that the objects hold counts, including caches and half-read streams. The
whole object graph is walked, so that a mutant's own fields count as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Mapping, Sequence
from enum import Enum
from functools import cache
from itertools import permutations
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from harness.contract.judge.history.interaction_model import InteractionModel
from harness.emulator import Emulator
from harness.engine.search.world import World

_IGNORED = frozenset({
    "clock", "_clock", "lock", "_lock", "log", "moments", "ids", "settings", "_settings", "neighbours",
    "_neighbours", "number", "created", "updated", "serial", "_kept", "_world", "replies", "meter", "recorder",
    "_began", "_limits", "_started", "wake", "_paced", "moves", "_mark", "_iterator",
    "contract", "_contract", "_order",
})  # fmt: skip
"""Fields that hold times, locks, logs, generators of ids, the contract, and parts without state of their own."""

_ID = re.compile(r"v1_[\w-]{40,}|[0-9a-f]{16}")
_SHORTEST_ID = 16
_VOLATILE = re.compile(r'("signature":\s*")[^"]*|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ')


class StateDigest:
    """One walk over the state; ids are named in the order in which the walk meets them."""

    def __init__(self) -> None:
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
            self._mapping(value)
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
            self._object(value)

    def _mapping(self, value: Mapping[Any, Any]) -> None:
        self._say(f"{{{len(value)}")
        items = list(value.items())
        if any(isinstance(key, str) and _ID.search(key) for key in value):
            items.sort(
                key=lambda item: self._rename_ids(str(item[0]))
            )  # the order of a table by id has no meaning
        for key, item in items:
            self._walk(key)
            self._walk("" if key == "signature" else item)

    def _object(self, value: Any) -> None:
        number = self._seen.setdefault(id(value), len(self._seen))
        self._say(f"{type(value).__qualname__}#{number}")
        if number < len(self._seen) - 1:
            return
        for name in _fields(value):
            self._say(name)
            self._walk(getattr(value, name, None))

    def _rename_ids(self, text: str) -> str:
        if len(text) < _SHORTEST_ID:
            return text
        text = _VOLATILE.sub(r"\1", text)
        return _ID.sub(lambda found: self._names.setdefault(found[0], f"<{len(self._names)}>"), text)


def _fields(value: Any) -> list[str]:
    own = sorted(getattr(value, "__dict__", ()))
    kind: Hashable = type(value)  # type: ignore[assignment,unused-ignore]
    return [*_slots(kind), *(name for name in own if name not in _IGNORED)]


@cache
def _slots(kind: Hashable) -> list[str]:
    names: list[str] = []
    assert isinstance(kind, type)
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += (slots,) if isinstance(slots, str) else slots
    return [name for name in names if name not in _IGNORED]


def state(emulator: Emulator, world: World) -> bytes:
    """The digest of emulator and world, on a fresh emulator; the order of interactions does not matter."""
    return min(_digest(emulator, world, order) for order in permutations(world.interactions))


def _digest(emulator: Emulator, world: World, order: Sequence[InteractionModel]) -> bytes:
    walk = StateDigest()
    walk.add(order)
    walk.add([reader for reader in world.readers if not reader.closed])
    walk.add([(reader.of, reader.cursor, reader.closed) for reader in world.readers])
    walk.add(emulator.engine())
    return walk.digest()
