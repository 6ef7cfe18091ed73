"""Stores the items of one kind, separately for each project, in order of creation and up to a limit.

Layer 2. Knows ids, projects and limits; must not know what an item is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.emulator.resources.paging import DEFAULT_SIZE, LARGEST_SIZE, page
from harness.emulator.resources.refusals import over_quota
from harness.emulator.values.call import Refusal, not_found

T = TypeVar("T")

MOST_ITEMS = 1000
"""Limit on the items of one kind in one project; documented for agents, for the rest it bounds memory."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """The source of ids and times: `ids(prefix)` never repeats one, `now()` is RFC 3339 in UTC (`…Z`)."""

    ids: Callable[[str], str]
    now: Callable[[], str]


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
                raise over_quota(f"A project holds at most {MOST_ITEMS} of this kind: delete a {self.noun} first.")
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
        self, project: str, query: Mapping[str, str], *, default: int = DEFAULT_SIZE, largest: int = LARGEST_SIZE
    ) -> tuple[list[T], str]:
        """One page in order of creation, and the token of the next page."""
        entries = iter(self._projects.get(project, {}).values())
        return page(entries, query, self.noun, default=default, largest=largest)

    def everywhere(self) -> Iterator[tuple[str, str, T]]:
        """Yield project, id and item for all items, oldest first within each project."""
        for project, items in self._projects.items():
            for item_id, (_, item) in items.items():
                yield project, item_id, item
