"""One finding in words: what is wrong, where, what was expected and what came.

Layer 6. The only place that words a finding for people; must not know what a run, a file or a test does with it.
Secrets are hidden before, by `hide_secrets`, and nowhere else.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, TypeVar

import msgspec

from harness.outcome import Finding, Where
from harness.wire.mask import Mask
from harness.wire.message import escape_controls

Value = TypeVar("Value")


_PLAIN = (Enum, int, float, NoneType)
"""Values without a text of a target."""


def hide_secrets(value: Value, mask: Mask, leave: tuple[type, ...] = ()) -> Value:
    """The value with the secrets in its texts hidden, however deep these are; itself if it has none.

    What is of a type to `leave` stays as it is. Raises TypeError for a value of a kind that is not listed here: to
    pass over it could show a secret.
    """
    shown: Value = _SecretHider(mask, (*_PLAIN, *leave)).hide(value)
    return shown


@cache  # a run has thousands of values of a few dozen types
def _find_members(kind: type) -> tuple[tuple[str, ...], Callable[..., Any]] | None:
    """The names of the members of a struct or a dataclass, and what replaces them; None for any other type."""
    if issubclass(kind, tuple | list | Set | Mapping):
        return None
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__, msgspec.structs.replace
    return (tuple(member.name for member in fields(kind)), replace) if is_dataclass(kind) else None


@dataclass(frozen=True, slots=True)
class _SecretHider:
    """Walks a value; what has no secret stays the same object, because most of a run has none."""

    mask: Mask
    leave: tuple[type, ...]

    def hide(self, old: Any) -> Any:
        if isinstance(old, self.leave):
            return old
        if isinstance(old, str):
            hidden = self.mask.text(old)
            return old if hidden == old else hidden
        kind: Any = type(old)
        if (members := _find_members(kind)) is not None:
            return self._hide_members(old, *members)
        if isinstance(old, tuple | list | Set):
            return self._hide_items(old)
        if isinstance(old, Mapping):
            pairs = {self.hide(name): self.hide(item) for name, item in old.items()}
            is_same = all(name in old and old[name] is item for name, item in pairs.items())
            return old if is_same else pairs
        raise TypeError(f"secrets cannot be hidden in a {kind.__name__}: teach `hide_secrets` where its texts are")

    def _hide_items(self, old: Any) -> Any:
        items = list(map(self.hide, old))
        if all(map(operator.is_, items, old)):
            return old
        return old._make(items) if hasattr(old, "_make") else type(old)(items)

    def _hide_members(self, old: Any, names: Iterable[str], replace_members: Callable[..., Any]) -> Any:
        members = {name: getattr(old, name) for name in names}
        hidden = {name: new for name, item in members.items() if (new := self.hide(item)) is not item}
        return replace_members(old, **hidden) if hidden else old


def finding_lines(finding: Finding) -> Iterator[str]:
    """The message with its place, then what was expected, what came and a cure, if known."""
    where = place(finding.where)
    yield _put_on_one_line(finding.message + (f" ({where})" if where else ""))
    yield from compared_lines(finding)
    if finding.cure:
        yield _put_on_one_line(f"  known fix: {finding.cure}")


def summarize(message: str, pointer: str | None) -> str:
    """A message that names its place in the JSON, for where no more than a line is shown."""
    if message.startswith("should "):  # the words of a schema, whose subject is the place
        return f"{pointer or 'it'} {message}"
    return f"{message} (at {pointer})" if pointer and pointer not in message else message


def compared_lines(finding: Finding) -> Iterator[str]:
    """What was expected and what came, if known, indented."""
    if finding.expected:
        yield _put_on_one_line(f"  expected: {finding.expected}")
    if finding.actual:
        yield _put_on_one_line(f"  actual:   {finding.actual}")


def _put_on_one_line(text: str) -> str:
    """Make the text one line, even if it quotes a body with line breaks."""
    return escape_controls(text).replace("\n", r"\n")


def place(where: Where) -> str:
    """The known parts of `exchange 'x', event 3, bytes 10–20, at $.id`; the file is left to the headline."""
    parts = [
        f"exchange {where.exchange!r}" if where.exchange else "",
        f"event {where.event}" if where.event is not None else "",
        f"bytes {where.start}–{where.end}" if where.start is not None else "",
        f"at {where.pointer}" if where.pointer else "",
    ]
    return ", ".join(part for part in parts if part)
