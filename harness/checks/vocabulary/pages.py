"""Paged lists: reading all pages, and the entries of one page.

Layer 2. Bounded: reading stops after `MOST` pages, in case a target's pages never end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from harness.checks.vocabulary.expect import among, expect_object, finding, interaction_in, text_in
from harness.contract.data.json_parse import objects_in
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Part, Send
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange

MOST = 20
"""The most pages to read of one list; a longer list is not judged to its end."""


def pages(t: RequestBuilder, path: str, size: int) -> Part[list[Exchange]]:
    """Read every page of a list in order, up to `MOST`, with page_size `size`."""
    found: list[Exchange] = []
    token = ""
    while len(found) < MOST:
        query = {"page_size": size, **({"page_token": token} if token else {})}
        page: Exchange = yield Send(t.request("GET", path, query=query))
        found.append(page)
        token = next_token(page)
        if not token:
            break
    return found


def next_token(page: Exchange) -> str:
    """Return the token of the next page, `""` after the last one."""
    return text_in(page, "next_page_token")


def entries(page: Exchange, field: str) -> list[dict[str, Any]]:
    """Return the entries of one page, none if the array is absent. Raises `Unmet` if the answer is no page."""
    return objects_in(interaction_in(page).get(field))


def ids(listed: Sequence[Exchange], field: str) -> list[str]:
    """Return the ids of all entries of all pages."""
    return [str(entry.get("id")) for page in listed for entry in entries(page, field)]


def each_once(listed: Sequence[Exchange], field: str, expected: Sequence[str]) -> Iterator[Finding]:
    """Yield findings for repeated entries, missing `expected` entries, and pages that are not objects.

    In findings the pages are named `paged[n]`, after the result of their exercise. Raises `Unmet` if there are
    more than `MOST` pages.
    """
    flaws = list(among("paged", listed, expect_object))
    yield from flaws
    if flaws:
        return
    seen = ids(listed, field)
    twice = sorted(one for one, times in Counter(seen).items() if times > 1)
    if twice:
        yield finding(
            "the pages contain entries more than once", expected="each once", actual=", ".join(twice[:5])
        )
    if next_token(listed[-1]):
        raise Unmet(f"the list has more than {MOST} pages")
    lost = [one for one in expected if one not in seen]
    if lost:
        others = format_count(len(seen), "other")
        yield finding("the pages lack entries", expected=", ".join(lost[:5]), actual=others)
