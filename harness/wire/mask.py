"""Hides the secrets in everything that is shown: reports, messages, and the emulator's log of requests.

A mask knows the run's own keys. In recordings, each secret has a placeholder of its own (`cassette.redactor`).
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache, lru_cache
from types import NoneType
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from harness.wire.message import Request, escape_controls
from harness.wire.protocol import StreamProtocol
from harness.wire.secret_finder import (
    SecretFinder,
    TextEdit,
    UnreadableSecret,
    apply_edits,
    apply_to_bytes,
    seems_json,
)
from harness.wire.secrets import (
    SecretFields,
    find_password,
    is_secret_header,
    is_secret_parameter,
    looks_random,
    secrets_in_header,
)

HIDDEN = "***"
UNSHOWN = "[a stream that contains a secret and cannot be shown without it]"

_FORM = "application/x-www-form-urlencoded"


class Mask:
    """Hides known secrets, and what looks like one.

    `secrets` are the run's own, by the name of the environment variable that stands for each. `fields` are the
    JSON members that hold a secret, whatever it looks like.
    """

    def __init__(self, secrets: Mapping[str, str] | None = None, fields: SecretFields | None = None) -> None:
        self._secrets = {name: value for name, value in (secrets or {}).items() if value}
        self.learned: tuple[str, ...] = ()
        """The keys that were learned; another tuple after each that is new."""
        self._fields = fields or SecretFields()
        self._look_for(self.secrets)

    def _look_for(self, known: Collection[str]) -> None:
        self._finder = SecretFinder(self._fields, lambda _: HIDDEN, secrets=known, for_files=False)
        # Last: what another thread masks meanwhile goes into the former one, and is forgotten with it.
        self._keep = lru_cache(1024)(lambda text: self._mask_text(text, ()))

    def learn(self, request: Request) -> None:
        """Hide from now on the keys that a request names as such and that are no words; of many the latest."""
        self.add(filter(looks_random, keys_in(request)), most=50)

    def add(self, keys: Iterable[str], most: int = 0) -> None:
        """Hide these from now on, wherever they occur; of more than `most`, unless that is 0, only the latest.

        For a mask with one owner: no other thread may use it meanwhile.
        """
        new = [key for key in keys if key not in self.learned]
        if new:
            self.learned = (*self.learned, *dict.fromkeys(new))[-most:]
            self._look_for([*self.secrets, *self.learned])

    @property
    def secrets(self) -> tuple[str, ...]:
        """The known secrets that are hidden wherever they occur."""
        return tuple(value for value in self._secrets.values() if len(value) >= SecretFinder.SHORTEST)

    def text(self, text: str, request: Request | None = None) -> str:
        """Hide the secrets in any text; everything that is printed passes through here once.

        `request` is the request of the exchange that has this text as a body. Reports and logs have the same
        texts again and again, so that their masked forms are kept until a secret more is known.
        """
        if request is not None:
            if request.headers.media_type() == _FORM and not seems_json(text):
                return self._mask_text(f"&{text}", ())[1:]
            return self._mask_text(text, self._fields.above(request.segments))
        return self._keep(text) if len(text) <= 16 * 1024 else self._mask_text(text, ())

    def _mask_text(self, text: str, above: tuple[str, ...]) -> str:
        return _apply(text, lambda data: self._finder.in_document(data, above))

    def stream(self, text: str, protocol: StreamProtocol) -> str:
        """Hide the secrets in an event stream, also those whose text is split over several events."""
        try:
            return _apply(text, lambda data: self._finder.in_stream(data, protocol))
        except UnreadableSecret:
            return UNSHOWN

    def show(self, text: str, request: Request | None = None) -> str:
        """Make a text fit for a terminal: hide its secrets as `text` does, and escape control characters."""
        return escape_controls(self.text(text, request))

    def hide_known(self, text: str) -> str:
        """Hide only the known secrets."""
        return apply_edits(text, self._finder.find_known(text))

    def header(self, name: str, value: str) -> str:
        """Mask one header value; hide it entirely if the name of the header marks it as a secret."""
        return HIDDEN if is_secret_header(name) or find_password(value) else self.text(value)

    def variable(self, value: str) -> str | None:
        """The name of the environment variable that stands for exactly this secret; None if it is not one."""
        return next((name for name, secret in self._secrets.items() if secret == value), None)

    def tree(self, value: Any, hide: Callable[[str], str] | None = None) -> Any:
        """Mask every string in plain data, as `text` does unless `hide` is another way."""
        if isinstance(value, str):
            return (hide or self.text)(value)
        if isinstance(value, dict):
            return {self.tree(key, hide): self.tree(item, hide) for key, item in value.items()}
        kind = tuple if isinstance(value, tuple) else list  # of a named tuple, too, which is not made of a list
        return kind(self.tree(item, hide) for item in value) if isinstance(value, list | tuple) else value

    def body(self, value: Any, request: Request) -> Any:
        """Mask a decoded request body: hide values whose place holds a secret, mask every other string."""
        text = json.dumps(value, ensure_ascii=False)
        return json.loads(self._mask_text(text, self._fields.above(request.segments)))


def _apply(text: str, find: Callable[[bytes], Collection[TextEdit]]) -> str:
    """The text after the edits that are found in its bytes; it may have halves of characters."""
    data = text.encode("utf-8", "surrogatepass")
    edits = find(data)
    return apply_to_bytes(data, edits).decode("utf-8", "surrogatepass") if edits else text


def keys_in(request: Request, answer: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
    """The values that a request names as keys, in its headers and its query, or the headers of its `answer`."""
    for name, value in (*request.headers, *answer):
        if is_secret_header(name) or find_password(value):
            yield from secrets_in_header(name, value)
    yield from (value for name, value in request.query if is_secret_parameter(name))


# Secrets in values: the texts in a struct, a dataclass or a collection, however deep.


Shown = TypeVar("Shown")


_PLAIN = (Enum, int, float, NoneType)
"""Values without a text of a target."""


def hide_secrets(value: Shown, mask: Mask, leave: tuple[type, ...] = (), members: Collection[str] = ()) -> Shown:
    """The value with the secrets in its texts hidden, however deep these are; itself if it has none.

    What is of a type to `leave` stays as it is, and so do the `members` of a struct or a dataclass itself. Raises
    TypeError for a value of a kind that is not listed here: to pass over it could show a secret.
    """
    hider, kind = _SecretHider(mask, (*_PLAIN, *leave)), cast(Any, type(value))
    shown: Shown
    if members and (found := _find_members(kind)) is not None:
        shown = hider.hide_members(value, [name for name in found[0] if name not in members], found[1])
    else:
        shown = hider.hide(value)
    return shown


@cache  # a run has thousands of values of a few dozen types
def _find_members(kind: type) -> tuple[tuple[str, ...], Callable[..., Any]] | None:
    """The names of the members of a struct or a dataclass, and what replaces them; None for any other type."""
    if issubclass(kind, tuple | list | Set | Mapping):
        return None
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__, msgspec.structs.replace
    return (tuple(member.name for member in fields(kind)), replace) if is_dataclass(kind) else None


class _SecretHider(Struct, frozen=True):
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
            return self.hide_members(old, *members)
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

    def hide_members(self, old: Any, names: Iterable[str], replace_members: Callable[..., Any]) -> Any:
        hidden = {}
        for name in names:
            item = getattr(old, name)
            if item and (new := self.hide(item)) is not item:  # most members of most values are empty
                hidden[name] = new
        return replace_members(old, **hidden) if hidden else old
