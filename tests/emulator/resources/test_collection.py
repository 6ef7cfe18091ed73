"""Lists of resources: order, pages that stay correct while items change, limits on memory."""

from __future__ import annotations

import pytest

from harness.emulator.resources import collection
from tests.emulator.resources.api import Api

HOOKS, ENVIRONMENTS = "/v1beta/webhooks", "/v1beta/environments"


def fill(api: Api, count: int) -> list[str]:
    """Make webhooks and return their ids."""
    body = {"uri": "https://hooks.example", "subscribed_events": ["interaction.completed"]}
    return [str(api.ok("POST", HOOKS, body)["id"]) for _ in range(count)]


def listed(api: Api, query: str = "") -> tuple[list[str], str]:
    """Return the ids on one page, and the token of the next one."""
    shown = api.ok("GET", f"{HOOKS}?{query}")
    return [item["id"] for item in shown.get("webhooks", [])], shown.get("next_page_token", "")


def test_a_full_project_refuses_or_evicts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full project refuses a new webhook with 429, and forgets its oldest environment for a new one."""
    monkeypatch.setattr(collection, "MOST_ITEMS", 3)
    fill(api, 3)
    body = {"uri": "https://hooks.example", "subscribed_events": ["interaction.completed"]}
    assert api.refused("POST", HOOKS, body) == (429, "quota_exceeded")
    made = [api.environment() for _ in range(4)]
    assert [one["id"] for one in api.ok("GET", ENVIRONMENTS)["environments"]] == made[1:]


@pytest.mark.parametrize(("size", "lengths"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_pages_hold_everything_once_and_in_order(api: Api, size: int, lengths: list[int]) -> None:
    """Pages of any size add up to all items in order; the last page has no token, even if it is exactly full."""
    made, pages, token = fill(api, 5), [], None
    while token != "":
        found, token = listed(api, f"page_size={size}&page_token={token or ''}")
        pages.append(found)
    assert list(map(len, pages)) == lengths
    assert [item for one in pages for item in one] == made


def test_pages_survive_deletions_and_insertions(api: Api) -> None:
    """Deleting items already listed, even the last one seen, does not disturb later pages; new items come last."""
    made = fill(api, 5)
    _, token = listed(api, "page_size=2")
    for gone in made[:2]:
        api.ok("DELETE", f"{HOOKS}/{gone}")
    new = fill(api, 1)
    assert listed(api, f"page_token={token}") == ([*made[2:], *new], "")


@pytest.mark.parametrize("query", [
    "page_size=-1", "page_size=ten", "page_size=1.5", "page_token=not%20base64", "page_token=bm90IGpzb24=",
    "page_token=WyJvdGhlciIsMV0=", "pageToken=bnVsbA==",
])  # fmt: skip
def test_bad_paging_is_refused(api: Api, query: str) -> None:
    """A page_size that is not a whole number gets 400, as does a token that is broken or from another list."""
    assert api.refused("GET", f"{HOOKS}?{query}") == (400, "invalid_request")


@pytest.mark.parametrize(("query", "given"), [("", 50), ("page_size=0", 50), ("page_size=99999", 60)])
def test_sizes_have_a_default_and_a_maximum(api: Api, query: str, given: int) -> None:
    """A page has 50 items by default; a size beyond the maximum is the maximum."""
    fill(api, 60)
    assert len(listed(api, query)[0]) == given


def test_camel_case_parameters_are_read_too(api: Api) -> None:
    """`pageSize`, the spelling of one guide, is read as page_size."""
    fill(api, 4)
    assert len(listed(api, "pageSize=3")[0]) == 3
