"""Collections: isolation, bounds, order, and pages that survive change."""

import pytest

from harness.emulator.call import Refusal
from harness.emulator.neighbours import collection
from harness.emulator.neighbours.collection import Collection
from harness.emulator.neighbours.paging import page, parameter


def filled(count: int, **options: object) -> Collection[str]:
    """A collection of `count` things in project p."""
    items: Collection[str] = Collection("thing", **options)  # type: ignore[arg-type]
    for number in range(count):
        items.add("p", f"t{number}", f"value {number}")
    return items


def walk(items: Collection[str], size: int) -> list[list[str]]:
    """All pages of project p, of one size."""
    pages, token = [], ""
    for _ in range(20):
        found, token = items.page("p", {"page_size": str(size), "page_token": token})
        pages.append(found)
        if not token:
            return pages
    raise AssertionError("the pages never end")


def test_projects_are_apart() -> None:
    """An id of one project is unknown to another, and may be taken there again."""
    items = filled(1)
    assert items.find("other", "t0") is None
    items.add("other", "t0", "mine")
    assert (items.get("p", "t0"), items.get("other", "t0")) == ("value 0", "mine")


def test_a_taken_id_and_an_absent_one_are_refused() -> None:
    """409 with the kind's own code, and 404 after removal."""
    items = filled(1, conflict="aborted")
    with pytest.raises(Refusal) as taken:
        items.add("p", "t0", "again")
    items.remove("p", "t0")
    with pytest.raises(Refusal) as gone:
        items.get("p", "t0")
    assert [(e.value.status, e.value.code) for e in (taken, gone)] == [(409, "aborted"), (404, "not_found")]


def test_a_full_collection_refuses_or_evicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound a new item is refused with 429; an evicting collection forgets its oldest instead."""
    monkeypatch.setattr(collection, "MOST_ITEMS", 3)
    with pytest.raises(Refusal, match="at most 3"):
        filled(4)
    assert filled(4, evicts=True).page("p", {}) == (["value 1", "value 2", "value 3"], "")


@pytest.mark.parametrize(("size", "lengths"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_pages_hold_everything_once_and_in_order(size: int, lengths: list[int]) -> None:
    """Pages of any size join to the whole; the last one has no token, also when it is exactly full."""
    pages = walk(filled(5), size)
    assert list(map(len, pages)) == lengths
    assert [item for one in pages for item in one] == [f"value {n}" for n in range(5)]


def test_pages_survive_deletions_and_insertions() -> None:
    """Deleting what was already listed, the boundary included, loses nothing; what is new comes last."""
    items = filled(5)
    first, token = items.page("p", {"page_size": "2"})
    items.remove("p", "t0")
    items.remove("p", "t1")
    items.add("p", "new", "value new")
    rest, end = items.page("p", {"page_token": token})
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
    """Sizes that are no whole number, and tokens that are broken or of another list, get 400."""
    with pytest.raises(Refusal) as refused:
        filled(2).page("p", query)
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")


@pytest.mark.parametrize(("asked", "given"), [({}, 50), ({"page_size": "0"}, 50), ({"page_size": "9" * 30}, 1000)])
def test_sizes_have_a_default_and_a_maximum(asked: dict[str, str], given: int) -> None:
    """Without a size 50 items come; more than 1000 never do."""
    found, token = page(((number, number) for number in range(1001)), asked, "numbers")
    assert (len(found), bool(token)) == (given, True)


def test_camel_case_parameters_are_read_too() -> None:
    """`pageSize`, as one guide writes it, means page_size."""
    assert parameter({"pageSize": "3"}, "page_size") == "3"
