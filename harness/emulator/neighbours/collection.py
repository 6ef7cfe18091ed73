"""Keeps the items of one kind, apart per project, in the order of their creation, within a bound.

Layer 2. Knows ids, projects and limits; must not know what an item is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.emulator.call import Refusal, not_found
from harness.emulator.neighbours.fields import over_quota
from harness.emulator.neighbours.paging import page

T = TypeVar("T")

MOST_ITEMS = 1000
"""Items of one kind in one project; documented for agents, a bound on memory for the rest."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """Where ids and times come from: `ids(prefix)` never repeats, `now()` is RFC 3339 in UTC (`…Z`)."""

    ids: Callable[[str], str]
    now: Callable[[], str]


class Collection(Generic[T]):
    """Items by project and id. `noun` is used in messages (`agent` → "no agent 'x'")."""

    def __init__(self, noun: str, *, conflict: str = "already_exists", evicts: bool = False) -> None:
        self.noun = noun
        self._conflict = conflict
        self._evicts = evicts
        self._projects: dict[str, dict[str, tuple[int, T]]] = {}
        self._count = 0

    def add(self, project: str, item_id: str, item: T) -> None:
        """Keep a new item. Raises `Refusal` 409 for a taken id, 429 when full; or drops the oldest."""
        items = self._projects.setdefault(project, {})
        if item_id in items:
            raise Refusal(409, self._conflict, f"The {self.noun} {item_id!r} exists already: choose another id.")
        if len(items) >= MOST_ITEMS:
            if not self._evicts:
                raise over_quota(f"A project holds at most {MOST_ITEMS} of this kind: delete a {self.noun} first.")
            del items[next(iter(items))]
        self._count += 1
        items[item_id] = (self._count, item)

    def find(self, project: str, item_id: str) -> T | None:
        """The item, or None."""
        entry = self._projects.get(project, {}).get(item_id)
        return None if entry is None else entry[1]

    def get(self, project: str, item_id: str) -> T:
        """The item. Raises `Refusal` 404, the same whether it never was, is gone, or is another project's."""
        item = self.find(project, item_id)
        if item is None:
            raise not_found(f"There is no {self.noun} {item_id!r} in this project.")
        return item

    def remove(self, project: str, item_id: str) -> T:
        """Forget the item and return it. Raises `Refusal` 404."""
        item = self.get(project, item_id)
        del self._projects[project][item_id]
        return item

    def page(self, project: str, query: Mapping[str, str]) -> tuple[list[T], str]:
        """One page in the order of creation, and the next token."""
        return page(iter(self._projects.get(project, {}).values()), query, self.noun)

    def everywhere(self) -> Iterator[tuple[str, str, T]]:
        """Project, id and item of all there are, oldest first within each project."""
        for project, items in self._projects.items():
            for item_id, (_, item) in items.items():
                yield project, item_id, item
