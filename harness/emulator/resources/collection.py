"""Stores the items of one kind for each project, lists them in pages, and bounds their memory.

Knows ids, projects, keys and limits; must not know what an item is. A page token holds the name of its list and
the last key returned, not an offset: with an offset, deleting an item of an earlier page would make the next page
skip one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Struct

from harness.emulator.values.call import Call, Refusal, invalid, not_found, over_quota
from harness.emulator.values.hints import camel
from harness.emulator.values.settings import Settings
from harness.emulator.values.stamps import Stamps, has_come

if TYPE_CHECKING:  # the first emulator needs the pages of a list, and no resource
    from harness.emulator.resources.schema_reader import SchemaReader

V = TypeVar("V")
Key = TypeVar("Key", int, str)


def page(
    entries: Iterable[tuple[Key, V]],
    query: Mapping[str, str],
    scope: str,
    *,
    default: int = 50,
    largest: int = 1000,
) -> tuple[list[V], str]:
    """One page of `entries` (in ascending order of keys) and the token of the next page, `""` after the last.

    `scope` names the list: a token of another list is refused. Raises `Refusal` 400 for a bad size or token.
    """
    text = parameter(query, "page_size") or "0"
    if not (text.isascii() and text.isdigit()):
        raise invalid(f"page_size={text!r} must be a whole number from 0 (the default) to {largest}.")
    # the length test avoids the conversion of a million digits
    size = min(int(text) if len(text) < 10 else largest, largest) or default
    rest = iter(entries)
    token = parameter(query, "page_token")
    if token:
        try:
            owner, after = msgspec.json.decode(base64.b64decode(token, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, TypeError, msgspec.MsgspecError):
            owner = after = None
        if owner != scope:
            raise invalid("page_token was not issued for this list: send a next_page_token unchanged.")
        rest = ((key, value) for key, value in entries if type(key) is type(after) and key > after)
    chosen: list[V] = []
    last: Any = None
    for key, value in rest:
        if len(chosen) == size:
            return chosen, base64.urlsafe_b64encode(msgspec.json.encode([scope, last])).decode("ascii")
        chosen.append(value)
        last = key
    return chosen, ""


def listing(name: str, items: list[Any], token: str, *, in_camel_case: bool = False) -> dict[str, Any]:
    """The body of a list response. Empty parts are left out, as observed on the live service."""
    token_name = "nextPageToken" if in_camel_case else "next_page_token"
    return {**({name: items} if items else {}), **({token_name: token} if token else {})}


def parameter(query: Mapping[str, str], name: str) -> str | None:
    """The value of a query parameter, written in snake case or, as in some official samples, in camel case."""
    return query.get(name, query.get(camel(name)))


T = TypeVar("T")

MOST_ITEMS = 1000
"""Limit on the items of one kind in one project; documented for agents, for the rest it bounds memory."""


class ResourceContext(Struct, frozen=True):
    """The parts of a session that its resources share."""

    reader: SchemaReader
    stamps: Stamps
    settings: Callable[[], Settings]


class KeptResource(Generic[T]):
    """Items by project and id, and the operations that all kept resources have in common.

    `name` is that of the list, `noun` names an item in messages (`agent` → "no agent 'x'"), `conflict` is the
    error code for an id in use. If `evicts`, a full project drops its oldest item instead of refusing a new one.
    `pages` are the usual and the largest number of items of a page. `secret` is the name in the
    refusal 403 of those resources that do not tell a missing item from one of another project.
    """

    name: ClassVar[str] = ""
    noun: ClassVar[str]
    conflict: ClassVar[str] = "already_exists"
    evicts: ClassVar[bool] = False
    in_camel_case: ClassVar[bool] = False
    pages: ClassVar[tuple[int, int]] = (50, 1000)
    secret: ClassVar[str] = ""

    def __init__(self, context: ResourceContext) -> None:
        self._reader = context.reader
        self._stamps = context.stamps
        self._settings = context.settings
        self._projects: dict[str, dict[str, tuple[int, T]]] = {}
        self._count = 0

    def view(self, item: T) -> dict[str, Any]:
        """The resource as GET shows it."""
        raise NotImplementedError

    def add(self, project: str, item_id: str, item: T) -> None:
        """Store a new item. Raises `Refusal` 409 if the id is in use, 429 if full and `evicts` is not set."""
        items = self._projects.setdefault(project, {})
        if item_id in items:
            raise Refusal(409, self.conflict, f"The {self.noun} {item_id!r} exists already: choose another id.")
        if len(items) >= MOST_ITEMS:
            if not self.evicts:
                raise over_quota(f"A project has at most {MOST_ITEMS} of this kind: delete a {self.noun} first.")
            self.remove(project, next(iter(items)))
        self._count += 1
        items[item_id] = (self._count, item)

    def find(self, project: str, item_id: str) -> T | None:
        entry = self._projects.get(project, {}).get(item_id)
        return None if entry is None else entry[1]

    def require(self, project: str, item_id: str) -> T:
        """The item. Raises the same `Refusal` 404 if it never existed, was deleted or is another project's."""
        item = self.find(project, item_id)
        if item is None:
            raise self.refuse_missing(item_id)
        return item

    def refuse_missing(self, item_id: str) -> Refusal:
        """The refusal of a call about an item that is not there."""
        if self.secret:  # recorded
            message = (
                f"You do not have permission to access the {self.secret} {item_id[:100]} or it may not exist."
            )
            return Refusal(403, "permission_denied", message)
        return not_found(f"There is no {self.noun} {item_id[:100]!r} in this project.")

    def remove(self, project: str, item_id: str) -> None:
        del self._projects[project][item_id]

    def everywhere(self) -> Iterator[tuple[str, str, T]]:
        """Yield project, id and item for all items, oldest first within each project."""
        for project, items in self._projects.items():
            for item_id, (_, item) in items.items():
                yield project, item_id, item

    def list_all(self, call: Call) -> dict[str, Any]:
        return self.list_some(call, lambda item: True)

    def list_some(self, call: Call, choose: Callable[[T], bool]) -> dict[str, Any]:
        """A page of the chosen items in order of creation."""
        entries = (entry for entry in self._projects.get(call.project, {}).values() if choose(entry[1]))
        usual, largest = self.pages
        found, token = page(entries, call.query, self.noun, default=usual, largest=largest)
        return listing(self.name, [self.view(item) for item in found], token, in_camel_case=self.in_camel_case)

    def get(self, call: Call, item_id: str) -> dict[str, Any]:
        return self.view(self.require(call.project, item_id))

    def delete(self, call: Call, item_id: str) -> dict[str, Any]:
        if self.find(call.project, item_id) is None:
            raise self.refuse_missing(item_id)
        self.remove(call.project, item_id)
        return {}


class ExpiringResource(KeptResource[T]):
    """A resource whose items are gone after a while."""

    def find_expiry(self, item: T) -> str:
        """The moment from which on an item is gone."""
        raise NotImplementedError

    def find(self, project: str, item_id: str) -> T | None:
        self.drop_expired()
        return super().find(project, item_id)

    def list_all(self, call: Call) -> dict[str, Any]:
        self.drop_expired()
        return super().list_all(call)

    def drop_expired(self) -> None:
        """Remove what is gone by now."""
        now = self._stamps.now()
        for project, item_id, item in [*self.everywhere()]:
            if has_come(self.find_expiry(item), now):
                self.remove(project, item_id)
