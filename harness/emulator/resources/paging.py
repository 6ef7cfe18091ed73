"""Splits a list into pages by `page_size` and `page_token`; a token stays valid across deletions and insertions.

Layer 2. Knows ascending keys and opaque tokens; must not know what is listed. A token holds the name of its list
and the last key returned, not an offset: with an offset, deleting an item of an earlier page would make the next
page skip one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from harness.emulator.values.call import invalid
from harness.emulator.values.suggestions import camel

V = TypeVar("V")
Key = TypeVar("Key", int, str)

DEFAULT_SIZE = 50
LARGEST_SIZE = 1000


def page(
    entries: Iterable[tuple[Key, V]],
    query: Mapping[str, str],
    scope: str,
    *,
    default: int = DEFAULT_SIZE,
    largest: int = LARGEST_SIZE,
) -> tuple[list[V], str]:
    """One page of `entries` (in ascending order of keys) and the token of the next page, `""` after the last.

    `scope` names the list: a token of another list is refused. Raises `Refusal` 400 for a bad size or token.
    """
    size = _read_size(query, default, largest)
    rest = iter(entries)
    token = parameter(query, "page_token")
    if token:
        after = _read_last_key(token, scope)
        rest = ((key, value) for key, value in entries if _is_after(key, after))
    chosen: list[V] = []
    last: Any = None
    for key, value in rest:
        if len(chosen) == size:
            return chosen, _make_token(scope, last)
        chosen.append(value)
        last = key
    return chosen, ""


def listing(name: str, items: list[Any], token: str) -> dict[str, Any]:
    """The body of a list response. Empty parts are left out, as observed on the live service."""
    return {**({name: items} if items else {}), **({"next_page_token": token} if token else {})}


def parameter(query: Mapping[str, str], name: str) -> str | None:
    """The value of a query parameter, written in snake case or, as in some official samples, in camel case."""
    return query.get(name, query.get(camel(name)))


def _read_size(query: Mapping[str, str], default: int, largest: int) -> int:
    text = parameter(query, "page_size") or "0"
    if not (text.isascii() and text.isdigit()):
        raise invalid(f"page_size={text!r} must be a whole number from 0 (the default) to {largest}.")
    # the length test avoids the conversion of a million digits
    size = int(text) if len(text) < 10 else largest
    return min(size, largest) or default


def _make_token(scope: str, key: int | str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([scope, key])).decode("ascii")


def _read_last_key(token: str, scope: str) -> Any:
    try:
        owner, key = msgspec.json.decode(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, msgspec.MsgspecError):
        owner = key = None
    if owner != scope:
        raise invalid("page_token was not issued for this list: send a next_page_token unchanged.")
    return key


def _is_after(key: Any, after: Any) -> bool:
    return type(key) is type(after) and bool(key > after)
