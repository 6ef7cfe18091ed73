"""The resources of the document, and which of them a target serves.

Layer 4. Each resource is searched on its own. In one state machine for all of them, the tool would begin only with
those creates that look most likely to succeed, and never reach the operations that depend on the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.engine.search.rules import KEPT, SHAPE
from harness.engine.search.search_target import SearchTarget
from harness.engine.traffic.deadline import TimeUp
from harness.wire import Exchange, Request
from harness.wire.json_value import object_or_none

OWN_CHECKS: Mapping[str, str] = {
    "use_after_free": "del.gone",
    "ensure_resource_availability": "get.ok",
    "response_schema_conformance": "create.schema",
}
"""The tool's checks for interactions, and the rule that a failure of each breaks."""

NEIGHBOUR_CHECKS: Mapping[str, str] = {
    "use_after_free": KEPT,
    "ensure_resource_availability": KEPT,
    "response_schema_conformance": SHAPE,
}
"""The same for the other resources."""

KEY_CHECKS: Mapping[str, str] = {"ignored_auth": "auth.wrong"}
"""Checks for targets that are known to check keys; many gateways on a loopback address do not."""

STRICT_CHECKS: Mapping[str, str] = {"negative_data_rejection": "err.unknown-field"}
"""Checks that real services fail because they are lenient; only in the strict profile."""


@dataclass(frozen=True, slots=True)
class Family:
    """The operations below one collection. The user may deny its `capability`, if it has one."""

    collection: str
    capability: str = ""

    @property
    def scope(self) -> str:
        """A pattern for the paths of the document that belong to it."""
        return rf"^/{self.collection}(/|$)"

    @property
    def beginning(self) -> str:
        """The operation that every chain of links begins with."""
        return f"POST /{self.collection}"

    def checks(self, *, strict: bool, keys: bool) -> dict[str, str]:
        """The tool's checks that count here, with their rules; `keys`: the target is known to check keys."""
        own = OWN_CHECKS if self == INTERACTIONS else NEIGHBOUR_CHECKS
        return {**own, **(KEY_CHECKS if keys else {}), **(STRICT_CHECKS if strict else {})}


INTERACTIONS = Family("interactions")
LOOK_SECONDS = 5.0
"""Timeout for the request that asks whether a resource is served."""

NEIGHBOURS = (
    Family("agents", "agents-crud"),
    Family("environments", "environments"),
    Family("credentials"),
    Family("webhooks", "webhooks"),
    Family("triggers"),
    Family("voices", "voices"),
)

UNSEARCHED = ("files", "fileSearchStores", "decisions")
"""Collections of the document that are not searched. The search follows links, which cannot say that the id of
`files/x` is `x`; and what a decision answers is used by no other operation."""


def find_families(place: SearchTarget) -> tuple[Family, ...]:
    """Interactions, and every neighbour whose collection can be listed and that the user did not deny."""
    found = [INTERACTIONS]
    with place.world() as world, suppress(TimeUp):
        for family in NEIGHBOURS:
            if family.capability not in place.denied:
                answer = world.driver.send(_look(place, family), timeout=LOOK_SECONDS)
                found += [family] if _is_served(answer) else []
    return tuple(found)


def _look(place: SearchTarget, family: Family) -> Request:
    return place.requests.request("GET", family.collection, query={"page_size": 1})


def _is_served(answer: Exchange) -> bool:
    value = object_or_none(answer.body)
    return answer.status == 200 and value is not None and "error" not in value


def read_links(path: Path, family: Family) -> dict[str, set[str]]:
    """The declared links, such as `POST /interactions: get`, by the operation that they start from."""
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
