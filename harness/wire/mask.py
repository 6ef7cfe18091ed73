"""Keeps secrets out of everything that is shown: reports, messages, the emulator's log of requests.

Layer 0. Knows the run's own keys and the text that replaces a secret. What a secret looks like is defined in
`secrets`; which fields of an API's bodies hold one is defined by its `StreamProtocol`. Recordings are redacted
elsewhere (`harness.cassette`): there, each secret has its own placeholder.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from harness.wire.message import Request, escape_controls
from harness.wire.secret_texts import (
    CutTexts,
    KnownTexts,
    cores,
    is_escaped,
    secrets_in_header,
    spellings,
    unescape,
)
from harness.wire.secrets import (
    CREDENTIALS,
    SecretFields,
    is_secret_header,
    is_secret_parameter,
    looks_random,
    sightings,
)
from harness.wire.tokens import encode_literal, pair_up, seems_json, tokens

HIDDEN = "***"

_PARAMETER = re.compile(r"(?P<start>[?&;#](?P<name>[\w.$%\[\]\-]{1,64})=)[^&#\s\"']+")
_FORM = "application/x-www-form-urlencoded"
_MEMBER = re.compile(r'("(?P<name>[^"\\]{1,64})"\s*:\s*")(?:[^"\\]++|\\.)*')
"""A JSON member with a string value, also inside other text."""

_WORD = re.compile(r"[^\s\"]+")
_PART = 6
"""Fewest characters of a known secret that are recognized and hidden where a text was cut inside it."""

_BEFORE_WORD, _AFTER_WORD = re.compile(r"(?:[\w-]|\w\.)\Z"), re.compile(r"[\w-]|\.\w")
"""What makes a word part of a longer one, or of a name with dots or hyphens in it."""

_SHORTEST = 4
"""Length below which a key is hidden in headers only: masked everywhere, it would turn plain text into stars."""


_MOST_LEARNED = 50
_LONGEST_KEPT, _MOST_KEPT = 16 * 1024, 4 * 1024 * 1024
"""Characters of the longest text whose masked form is kept, and of all of them together."""


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
        self._kept: dict[str, str] = {}
        self._kept_size = 0
        self._look_for(self.secrets)

    def _look_for(self, known: Collection[str]) -> None:
        spelled = {value: {*spellings(value), *cores(value)} for value in known}
        self._words = {value.lower() for value in known if value.isalpha()}
        self._known, self._begun, self._ended = KnownTexts(), CutTexts(_PART), CutTexts(_PART)
        self._known.add(set().union(*spelled.values()))
        random = {spelling for value in known if looks_random(value) for spelling in spelled[value]}
        self._begun.add(random)
        self._ended.add(spelling[::-1] for spelling in random)
        # Last: what another thread masks meanwhile goes into the former one, and is forgotten with it.
        self._kept, self._kept_size = {}, 0

    def learn(self, request: Request) -> None:
        """Hide from now on, wherever they occur, the keys that a request names as such and that are no words.

        Of many only the latest are remembered. For a mask with one owner: no other thread may use it meanwhile.
        """
        new = [key for key in keys_in(request) if looks_random(key) and key not in self.learned]
        if new:
            self.learned = (*self.learned, *dict.fromkeys(new))[-_MOST_LEARNED:]
            self._look_for([*self.secrets, *self.learned])

    @property
    def secrets(self) -> tuple[str, ...]:
        """The known secrets that are hidden wherever they occur."""
        return tuple(value for value in self._secrets.values() if len(value) >= _SHORTEST)

    def text(self, text: str, request: Request | None = None) -> str:
        """Hide the secrets in any text; everything that is printed passes through here once.

        `request` is the request of the exchange that has this text as a body. Reports and logs have the same
        texts again and again, so that their masked forms are kept until a secret more is known.
        """
        kept = self._kept
        if request is not None or len(text) > _LONGEST_KEPT:
            return self._mask_text(text, request)
        masked = kept.get(text)
        if masked is None:
            self._kept_size += len(text)
            if self._kept_size > _MOST_KEPT:
                kept = self._kept = {}
                self._kept_size = len(text)
            masked = kept[text] = self._mask_text(text, None)
        return masked

    def _mask_text(self, text: str, request: Request | None) -> str:
        text = self.hide_known(text)
        if is_escaped(text):
            text = _WORD.sub(self._mask_word, text)
        if seems_json(text):
            text = self._without_values(text, self._find_path_above(request))
        text = _MEMBER.sub(self._mask_member, text)
        if request is not None and request.headers.media_type() == _FORM and not seems_json(text):
            return self._mask_plain(f"&{text}")[1:]
        return self._mask_plain(text)

    def show(self, text: str, request: Request | None = None) -> str:
        """Make a text fit for a terminal: hide its secrets as `text` does, and escape control characters."""
        return escape_controls(self.text(text, request))

    def hide_known(self, text: str) -> str:
        """Hide only the known secrets, also those inside which the text was cut."""
        size = len(text)
        found = [(start, end) for start, end in self._known.find(text) if self._stands_alone(text, start, end)]
        found += ((start, end) for start, end, _ in self._begun.find(text))
        found += ((size - end, size - start) for start, end, _ in self._ended.find(text[::-1]))
        return _without(text, found)

    def _stands_alone(self, text: str, start: int, end: int) -> bool:
        """Whether a text is torn out of no name: as a key, `secret` must not tear `hook.secret-once` apart."""
        if text[start:end].lower() not in self._words:
            return True
        return not (_BEFORE_WORD.search(text[max(start - 2, 0) : start]) or _AFTER_WORD.match(text, end))

    def _mask_plain(self, text: str) -> str:
        return _without_sightings(_PARAMETER.sub(self._mask_parameter, text))

    def _mask_word(self, found: re.Match[str]) -> str:
        """Unescape a word and hide the secret in it if there is one; otherwise leave the word as it is."""
        word = found[0]
        plain = unescape(word) if is_escaped(word) else word
        if plain == word:
            return word
        masked = self._mask_plain(self.hide_known(plain))
        return word if masked == plain else masked

    def _mask_parameter(self, found: re.Match[str]) -> str:
        secret = self._fields.names_parameter(unquote(found["name"]))
        return f"{found['start']}{HIDDEN}" if secret else found[0]

    def header(self, name: str, value: str) -> str:
        """Mask one header value; hide it entirely if the name of the header marks it as a secret."""
        return HIDDEN if is_secret_header(name) else self.text(value)

    def variable(self, value: str) -> str | None:
        """The name of the environment variable that stands for exactly this secret; None if it is not one."""
        return next((name for name, secret in self._secrets.items() if secret == value), None)

    def tree(self, value: Any) -> Any:
        """Mask every string in plain data."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.tree(key): self.tree(item) for key, item in value.items()}
        return [self.tree(item) for item in value] if isinstance(value, list) else value

    def body(self, value: Any, request: Request) -> Any:
        """Mask a decoded request body: hide values whose place holds a secret, mask every other string."""
        return self._hide_below(value, self._find_path_above(request))

    def _hide_below(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {self.tree(key): self._hide_below(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [
                self._hide_below(item, (*path, "") if isinstance(item, dict | list) else path) for item in value
            ]
        return HIDDEN if value is not None and self._fields.covers(path) else self.tree(value)

    def _mask_member(self, found: re.Match[str]) -> str:
        return f"{found[1]}{HIDDEN}" if self._fields.names(found["name"]) else found[0]

    def _find_path_above(self, request: Request | None) -> tuple[str, ...]:
        return self._fields.above(request.segments) if request is not None else ()

    def _without_values(self, text: str, above: tuple[str, ...]) -> str:
        """Hide the strings of a JSON text, which may be cut, whose place holds a secret."""
        parts, at = [], 0
        for token in pair_up(tokens(text, above), self._fields.covers):
            if token.is_string and not token.is_name and self._fields.covers(token.path):
                parts += [text[at : token.start], encode_literal(HIDDEN, "", closed=token.closed)]
                at = token.end
        return "".join((*parts, text[at:]))


def keys_in(request: Request) -> Iterator[str]:
    """The values that a request names as keys, in its headers and its query."""
    for name, value in request.headers:
        if is_secret_header(name):
            yield from secrets_in_header(name, value)
    yield from (value for name, value in request.query if is_secret_parameter(name))


def _without(text: str, places: Iterable[tuple[int, int]]) -> str:
    """The text with these places hidden, which may overlap."""
    parts, at = [], 0
    for start, end in sorted(places):
        if start >= at:
            parts += [text[at:start], HIDDEN]
        at = max(at, end)
    return "".join((*parts, text[at:]))


def _without_sightings(text: str) -> str:
    """Hide what looks like a credential. Private addresses stay, because a report names its target."""
    return _without(text, ((start, end) for _, start, end in sightings(text, CREDENTIALS)))


# Secrets in values: the texts in a struct, a dataclass or a collection, however deep.


Value = TypeVar("Value")


_PLAIN = (Enum, int, float, NoneType)
"""Values without a text of a target."""


def hide_secrets(value: Value, mask: Mask, leave: tuple[type, ...] = (), members: Collection[str] = ()) -> Value:
    """The value with the secrets in its texts hidden, however deep these are; itself if it has none.

    What is of a type to `leave` stays as it is, and so do the `members` of a struct or a dataclass itself. Raises
    TypeError for a value of a kind that is not listed here: to pass over it could show a secret.
    """
    hider, kind = _SecretHider(mask, (*_PLAIN, *leave)), cast(Any, type(value))
    shown: Value
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
