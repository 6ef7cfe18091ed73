"""Collections: isolation between projects, order, pages that stay correct while items change, limits on memory."""

from __future__ import annotations

import pytest

from harness.contract import load
from harness.emulator import Settings
from harness.emulator.resources import collection
from harness.emulator.resources.collection import KeptResource, ResourceContext, page, parameter
from harness.emulator.resources.schema_reader import SchemaReader
from harness.emulator.values.call import Call, Refusal
from harness.emulator.values.stamps import Stamps
from harness.wire import Request


class Things(KeptResource[str]):
    """A resource of texts."""

    name, noun = "things", "thing"

    def view(self, item):
        return {"value": item}


def filled(count: int, **options: object) -> Things:
    """A resource with `count` items in project p."""
    kind = type("Things", (Things,), options)
    items: Things = kind(ResourceContext(SchemaReader(load(), Settings), Stamps(str, str), Settings))
    for number in range(count):
        items.add("p", f"t{number}", f"value {number}")
    return items


def listed(items: Things, **query: str) -> tuple[list[str], str]:
    """Return one page of project p, and the token of the next one."""
    shown = items.list_all(Call(Request("GET", "/"), (), query, project="p"))
    return [item["value"] for item in shown.get("things", [])], shown.get("next_page_token", "")


def walk(items: Things, size: int) -> list[list[str]]:
    """Return all pages of project p, each of this size."""
    pages, token = [], ""
    for _ in range(20):
        found, token = listed(items, page_size=str(size), page_token=token)
        pages.append(found)
        if not token:
            return pages
    raise AssertionError("the pages never end")


def test_a_full_project_refuses_or_evicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full project refuses new items with 429, or forgets its oldest item if it evicts."""
    monkeypatch.setattr(collection, "MOST_ITEMS", 3)
    with pytest.raises(Refusal, match="at most 3"):
        filled(4)
    assert listed(filled(4, evicts=True)) == (["value 1", "value 2", "value 3"], "")


@pytest.mark.parametrize(("size", "lengths"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_pages_hold_everything_once_and_in_order(size: int, lengths: list[int]) -> None:
    """Pages of any size add up to all items in order; the last page has no token, even if it is exactly full."""
    pages = walk(filled(5), size)
    assert list(map(len, pages)) == lengths
    assert [item for one in pages for item in one] == [f"value {n}" for n in range(5)]


def test_pages_survive_deletions_and_insertions() -> None:
    """Deleting items already listed, even the last one seen, does not disturb later pages; new items come last."""
    items = filled(5)
    first, token = listed(items, page_size="2")
    items.remove("p", "t0")
    items.remove("p", "t1")
    items.add("p", "new", "value new")
    rest, end = listed(items, page_token=token)
    assert (first, rest, end) == (["value 0", "value 1"], ["value 2", "value 3", "value 4", "value new"], "")


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": "-1"},
        {"page_size": "ten"},
        {"page_size": "1.5"},
        {"page_size": "²"},
        {"page_token": "not base64!"},
        {"page_token": "bm90IGpzb24="},
        {"page_token": "WyJvdGhlciIsMV0="},
        {"pageToken": "bnVsbA=="},
    ],
)
def test_bad_paging_is_refused(query: dict[str, str]) -> None:
    """A page_size that is not a whole number gets 400, as does a token that is broken or from another list."""
    with pytest.raises(Refusal) as refused:
        listed(filled(2), **query)
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")


@pytest.mark.parametrize(("asked", "given"), [({}, 50), ({"page_size": "0"}, 50), ({"page_size": "9" * 30}, 1000)])
def test_sizes_have_a_default_and_a_maximum(asked: dict[str, str], given: int) -> None:
    """A page has 50 items by default and never more than 1000."""
    found, token = page(((number, number) for number in range(1001)), asked, "numbers")
    assert (len(found), bool(token)) == (given, True)


def test_camel_case_parameters_are_read_too() -> None:
    """`pageSize`, the spelling of one guide, is read as page_size."""
    assert parameter({"pageSize": "3"}, "page_size") == "3"
