"""Which resources of the document a target serves, and the links that the document declares for them.

Layer 4. Each resource is searched on its own. In one state machine for all of them, the tool would begin only with
those creates that look most likely to succeed, and never reach the operations that depend on the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.engine.search.search_target import SearchTarget
from harness.engine.traffic.deadline import TimeUp
from harness.kit.search import Family, SearchDocument
from harness.wire import Exchange, Request
from harness.wire.json_value import object_or_none

LOOK_SECONDS = 5.0
"""Timeout for the request that asks whether a resource is served."""

_WRONG = frozenset({200, 400, 422})
"""Statuses with which a route that exists answers a create without any field."""


def find_families(place: SearchTarget, document: SearchDocument, wanted: Sequence[Family]) -> tuple[Family, ...]:
    """Of those wanted: the first of the document, and all others that are served and not denied by the user."""
    first = document.families[0]
    found = [first] if first in wanted else []
    with place.world() as world, suppress(TimeUp):
        for family in wanted:
            if family != first and family.capability not in place.denied:
                answer = world.driver.send(_look(place, family), timeout=LOOK_SECONDS)
                found += [family] if _is_served(answer, family) else []
    return tuple(found)


def _look(place: SearchTarget, family: Family) -> Request:
    """A list; where nothing is kept, a create that is wrong."""
    if family.keeps:
        return place.requests.request("GET", family.collection)
    return place.requests.request("POST", family.collection, {})


def _is_served(answer: Exchange, family: Family) -> bool:
    value = object_or_none(answer.body)
    if not family.keeps:
        return answer.status in _WRONG and value is not None
    return answer.status == 200 and value is not None and "error" not in value


def read_links(path: Path, family: Family) -> dict[str, set[str]]:
    """The declared links, such as `POST /things: get`, by the operation that they start from."""
    found: dict[str, set[str]] = {}
    for route, item in json.loads(path.read_bytes())["paths"].items():
        if not (route == f"/{family.collection}" or route.startswith(f"/{family.collection}/")):
            continue
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                label = f"{method.upper()} {route}"
                links = operation["responses"].get("200", {}).get("links", {})
                found[label] = {f"{label}: {name}" for name in links}
    return found
