"""Lists that come in pages: reading them all, and what one page holds.

Layer 2. Bounded: a target whose pages never end is stopped after `MOST` of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.checks.actions import Send
from harness.checks.judging import SUCCESS, at, broken, expect_object, interaction_in
from harness.checks.target import Target
from harness.checks.waiting import Part
from harness.contract import read
from harness.outcome import Finding, Unmet
from harness.outcome.words import counted
from harness.wire import Exchange

MOST = 20
"""Pages read of one list; a project with more entries is not judged to its end."""


def pages(t: Target, path: str, size: int) -> Part[list[Exchange]]:
    """Every page of a list, in order, `size` entries asked for in each."""
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
    """The token of the page that follows, `""` after the last one."""
    body = read(page).json
    token = body.get("next_page_token") if page.status in SUCCESS and isinstance(body, dict) else None
    return token if isinstance(token, str) else ""


def entries(page: Exchange, field: str) -> list[dict[str, Any]]:
    """The entries of one page; an absent array is an empty one."""
    found = interaction_in(page).get(field)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def ids(listed: Sequence[Exchange], field: str) -> list[str]:
    """The ids of all entries of all pages."""
    return [str(entry.get("id")) for page in listed for entry in entries(page, field)]


def each_once(listed: Sequence[Exchange], field: str, expected: Sequence[str]) -> Iterator[Finding]:
    """Findings for entries that come twice, for `expected` ones that do not come, for pages that are none.

    `listed` is called `paged` among the results of its exercise.
    """
    flaws = [found for number, page in enumerate(listed) for found in at(f"paged[{number}]", expect_object(page))]
    yield from flaws
    if flaws:
        return
    seen = ids(listed, field)
    twice = sorted({one for one in seen if seen.count(one) > 1})
    if twice:
        yield broken("entries come more than once", expected="each once", actual=", ".join(twice[:5]))
    if next_token(listed[-1]):
        raise Unmet(f"the list has more than {MOST} pages")
    lost = [one for one in expected if one not in seen]
    if lost:
        others = counted(len(seen), "other")
        yield broken("entries do not come at all", expected=", ".join(lost[:5]), actual=others)
