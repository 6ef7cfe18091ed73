"""Finds the strings of a JSON text and their places, even if the text was cut anywhere. Layer 0, pure.

A parser would lose the places and reject the end of a dropped stream, which may hold a secret as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from harness.wire.secrets import PAIR_NAMES

_TOKEN = re.compile(
    r'"[^"\\]{0,4096}(?:\\.[^"\\]{0,4096}){0,64}(?:"|\\?\Z)|"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL
)
"""Of a long string it matches the quote alone: other threads would have to wait until its end is found."""

_WHOLE = re.compile(r"(?:[^\\]++|\\(?:u[0-9A-Fa-f]{4}|[^u]))*", re.DOTALL)
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?")
_OPENERS, _CLOSERS = "{[", "}]"
_BEFORE_JSON = " \t\r\n\ufeff"


class Token(NamedTuple):
    """A string or a number in a JSON text, quotes included in its span.

    `path` holds the member names above it, "" for an object or a list inside a list. The path of a member's name
    holds only the names above the member. `text` is the decoded value. `closed` is False for the string in which
    the text ends.
    """

    start: int
    end: int
    text: str
    path: tuple[str, ...]
    is_name: bool
    is_string: bool
    closed: bool


def tokens(text: str, above: Iterable[str] = ()) -> Iterator[Token]:
    """Yield the strings and numbers of a JSON text in order; in other text, whatever looks like them.

    `above` is the place of the whole text: the member names above it.
    """
    path = list(above)
    depth: list[bool] = []  # for each open container, whether it is an object
    name: str | None = None  # the member whose value is being read
    for start, end in _find_words(text):
        first = text[start]
        if first in _OPENERS:
            depth.append(first == "{")
            path.append(name or "")
            name = None
        elif first in _CLOSERS:
            if depth:
                depth.pop()
                path.pop()
            name = None
        elif first == ",":
            name = None
        elif first == '"':
            closed = end - start > 1 and _is_closed(text, start, end)
            is_name = bool(depth) and depth[-1] and name is None
            place = _place(path, None if is_name else name)
            # No reference to the value is kept here while the caller looks at it: it may be most of the text.
            yield Token(start, end, _copy_value(text, start, end, closed), place, is_name, True, closed)
            if is_name:
                name = _copy_value(text, start, end, closed)
        elif first in "-0123456789":
            yield Token(start, end, text[start:end], _place(path, name), False, False, True)


def pair_up(found: Iterable[Token], is_secret: Callable[[tuple[str, ...]], bool]) -> Iterator[Token]:
    """Yield tokens, reading `{"name": "x", "value": "y"}` as a member `x` with value `y` if that is a secret."""
    names: dict[tuple[str, ...], str] = {}
    for token in found:
        above, last = token.path[:-1], token.path[-1] if token.path else ""
        if not token.is_name and last in PAIR_NAMES:
            names[above] = token.text
        elif not token.is_name and last == "value" and above in names and is_secret((*above, names[above])):
            token = token._replace(path=(*above, names[above]))
        yield token


def _place(path: list[str], name: str | None) -> tuple[str, ...]:
    above = path[:64]
    return tuple(above) if name is None else (*above, name)


def _find_words(text: str) -> Iterator[tuple[int, int]]:
    """Where each token begins and ends, punctuation included."""
    at = 0
    while at < len(text):
        for match in _TOKEN.finditer(text, at):
            start, at = match.span()
            if at - start == 1 and text[start] == '"':
                at = _find_end(text, start)
                yield start, at
                break
            yield start, at
        else:
            return


def _find_end(text: str, start: int) -> int:
    """Where the string that begins at `start` ends."""
    end = start
    while (end := text.find('"', end + 1)) >= 0:
        if _is_closed(text, start, end + 1):
            return end + 1
    return len(text)


def _is_closed(text: str, start: int, end: int) -> bool:
    """Whether the last quote ends the string: an odd number of backslashes before it would escape it."""
    if text[end - 1] != '"':
        return False
    before = end - 1
    while before > start and text[before - 1] == "\\":
        before -= 1
    return (end - 1 - before) % 2 == 0


def _copy_value(text: str, start: int, end: int, closed: bool) -> str:
    """The value of the string literal in `text[start:end]`, copied only once if nothing in it is escaped."""
    if closed and text.find("\\", start, end) < 0:
        return text[start + 1 : end - 1]
    return decode_literal(text[start:end], closed=closed)


def decode_literal(word: str, *, closed: bool = True) -> str:
    """The value of a JSON string literal; if it was cut, the part that is there."""
    inner = word[1:-1] if closed else _without_half_escape(word[1:])
    if "\\" not in inner:
        return inner
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError:
        return inner


def _without_half_escape(text: str) -> str:
    """A cut literal without its last escape sequence if the cut was inside that."""
    whole = _WHOLE.match(text)
    end = whole.end() if whole else 0
    return text[:end] if _HALF_ESCAPE.fullmatch(text, end) else text


def encode_literal(value: str, like: str, *, closed: bool = True) -> str:
    """The literal of `value`; in ASCII if `like`, the literal that it replaces, is."""
    literal = json.dumps(value, ensure_ascii=like.isascii())
    return literal if closed else literal[:-1]


def seems_json(text: str) -> bool:
    """Whether a text begins like a JSON object, array or string."""
    return text.lstrip(_BEFORE_JSON)[:1] in (*_OPENERS, '"')


def closed_text(text: str) -> str:
    """Close a cut JSON text; the result is valid if the cut was after a whole value or inside a string value."""
    stack: list[str] = []
    open_string = False
    for start, end in _find_words(text):
        word = text[start:end]
        if word[0] in _OPENERS:
            stack.append(_CLOSERS[_OPENERS.index(word[0])])
        elif word[0] in _CLOSERS and stack:
            stack.pop()
        elif word[0] == '"' and not (len(word) > 1 and _is_closed(word, 0, len(word))):
            open_string = True
            text = text[:start] + _without_half_escape(word)
    return text + ('"' if open_string else "") + "".join(reversed(stack))
