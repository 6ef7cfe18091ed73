"""Stores the items of one kind for each project, lists them in pages, and bounds their memory.

Layer 2. Knows ids, projects, keys and limits; must not know what an item is. A page token holds the name of its
list and the last key returned, not an offset: with an offset, deleting an item of an earlier page would make the
next page skip one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from harness.emulator.values.call import Call, Refusal, invalid, not_found, over_quota
from harness.emulator.values.hints import camel

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
        rest = ((key, value) for key, value in entries if type(key) is type(after) and key > after)
    chosen: list[V] = []
    last: Any = None
    for key, value in rest:
        if len(chosen) == size:
            return chosen, base64.urlsafe_b64encode(msgspec.json.encode([scope, last])).decode("ascii")
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


def _read_last_key(token: str, scope: str) -> Any:
    try:
        owner, key = msgspec.json.decode(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, msgspec.MsgspecError):
        owner = key = None
    if owner != scope:
        raise invalid("page_token was not issued for this list: send a next_page_token unchanged.")
    return key


T = TypeVar("T")

MOST_ITEMS = 1000
"""Limit on the items of one kind in one project; documented for agents, for the rest it bounds memory."""


class Collection(Generic[T]):
    """Items by project and id.

    `noun` names an item in messages (`agent` → "no agent 'x'"), `conflict` is the error code for an id in use. If
    `evicts`, a full project drops its oldest item instead of refusing a new one.
    """

    def __init__(self, noun: str, *, conflict: str = "already_exists", evicts: bool = False) -> None:
        self.noun = noun
        self._conflict = conflict
        self._evicts = evicts
        self._projects: dict[str, dict[str, tuple[int, T]]] = {}
        self._count = 0

    def add(self, project: str, item_id: str, item: T) -> None:
        """Store a new item. Raises `Refusal` 409 if the id is in use, 429 if full and `evicts` is not set."""
        items = self._projects.setdefault(project, {})
        if item_id in items:
            raise Refusal(409, self._conflict, f"The {self.noun} {item_id!r} exists already: choose another id.")
        if len(items) >= MOST_ITEMS:
            if not self._evicts:
                raise over_quota(f"A project has at most {MOST_ITEMS} of this kind: delete a {self.noun} first.")
            del items[next(iter(items))]
        self._count += 1
        items[item_id] = (self._count, item)

    def oldest_if_full(self, project: str) -> str | None:
        """The id of the oldest item, if a project holds so many that the next one does not fit."""
        items = self._projects.get(project, {})
        return next(iter(items)) if len(items) >= MOST_ITEMS else None

    def find(self, project: str, item_id: str) -> T | None:
        """The item, or None."""
        entry = self._projects.get(project, {}).get(item_id)
        return None if entry is None else entry[1]

    def get(self, project: str, item_id: str) -> T:
        """The item. Raises the same `Refusal` 404 if it never existed, was deleted or is another project's."""
        item = self.find(project, item_id)
        if item is None:
            raise not_found(f"There is no {self.noun} {item_id!r} in this project.")
        return item

    def remove(self, project: str, item_id: str) -> T:
        """Remove the item and return it. Raises `Refusal` 404."""
        item = self.get(project, item_id)
        del self._projects[project][item_id]
        return item

    def page(
        self,
        project: str,
        query: Mapping[str, str],
        choose: Callable[[T], bool] = lambda item: True,
        *,
        default: int = DEFAULT_SIZE,
        largest: int = LARGEST_SIZE,
    ) -> tuple[list[T], str]:
        """One page of the chosen items in order of creation, and the token of the next page."""
        entries = (entry for entry in self._projects.get(project, {}).values() if choose(entry[1]))
        return page(entries, query, self.noun, default=default, largest=largest)

    def everywhere(self) -> Iterator[tuple[str, str, T]]:
        """Yield project, id and item for all items, oldest first within each project."""
        for project, items in self._projects.items():
            for item_id, (_, item) in items.items():
                yield project, item_id, item


class KeptResource(Generic[T]):
    """The operations that all kept resources have in common; each formats its own items."""

    def __init__(self, name: str, kept: Collection[T]) -> None:
        self._name = name
        self._kept = kept

    def view(self, item: T) -> dict[str, Any]:
        """The resource as GET shows it."""
        raise NotImplementedError

    def open_kept(self, project: str, item_id: str) -> T:
        """The item that a call is about. Raises `Refusal` 404."""
        return self._kept.get(project, item_id)

    def list_all(self, call: Call) -> dict[str, Any]:
        """GET {name}."""
        found, token = self._kept.page(call.project, call.query)
        return listing(self._name, [self.view(item) for item in found], token)

    def get(self, call: Call, item_id: str) -> dict[str, Any]:
        """GET {name}/{id}."""
        return self.view(self.open_kept(call.project, item_id))

    def delete(self, call: Call, item_id: str) -> dict[str, Any]:
        """DELETE {name}/{id}."""
        self._kept.remove(call.project, item_id)
        return {}


class Shelf:
    """Counts the bytes of uploaded files and documents; `limit` is the value of the setting `max_file_bytes`.

    Unlike the service's quota of 20 GB, the limit is a setting: it bounds the memory of this process.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    @property
    def room(self) -> int:
        """The number of bytes that still fit."""
        return max(0, self.limit - self.held)

    @property
    def remedy(self) -> str:
        """A sentence with the way to make more room."""
        return f"Delete files or documents, or raise the emulator's setting max_file_bytes={self.limit}."

    def take(self, size: int) -> None:
        """Count `size` more bytes. Raises `Refusal` 429 if there is no room for them."""
        if size > self.room:
            raise over_quota(
                f"Files and documents hold {self.held} bytes, and {size} more are too many. {self.remedy}"
            )
        self.held += size

    def give_back(self, size: int) -> None:
        """Count `size` bytes less."""
        self.held -= size
