"""The resources of the document, and which checks of the tool count for each.

Layer 2, data only.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.kit.search import Family

_OWN_CHECKS: Mapping[str, str] = {
    "use_after_free": "del.gone",
    "ensure_resource_availability": "get.ok",
    "response_schema_conformance": "create.schema",
}

_NEIGHBOUR_CHECKS: Mapping[str, str] = {
    "use_after_free": "fuzz.kept",
    "ensure_resource_availability": "fuzz.kept",
    "response_schema_conformance": "fuzz.shape",
}

WITH_KEYS: Mapping[str, str] = {"ignored_auth": "auth.wrong"}
"""Checks for targets that are known to check keys; many gateways on a loopback address do not."""

STRICT: Mapping[str, str] = {"negative_data_rejection": "err.unknown-field"}
"""Checks that real services fail because they are lenient; only in the strict profile."""

ECHOED = frozenset({"steps.base64", "steps.annotation-range", "steps.result-match", "steps.discriminator"})
"""Rules on the content of steps, judged only on creates: a read also shows the caller's generated input."""

SHAPES = frozenset(
    {
        "fuzz.shape", "agents.schema", "env.schema", "hook.schema", "cred.schema", "trigger.schema", "file.schema",
        "filesearch.schema", "voice.schema", "decision.schema",
    }
)  # fmt: skip
"""Rules on what neighbours show, much of which is the caller's own input.

A service that accepts an invalid value shows it again later. That is leniency and not a second mistake, so these
rules are no longer judged once an invalid request was accepted.
"""

INTERACTIONS = Family(collection="interactions", checks=_OWN_CHECKS, weight=3)

NEIGHBOURS = tuple(
    Family(collection=collection, capability=capability, checks=_NEIGHBOUR_CHECKS, keeps=collection != "decisions")
    for collection, capability in (
        ("agents", "agents-crud"),
        ("environments", "environments"),
        ("credentials", "credentials"),
        ("webhooks", "webhooks"),
        ("triggers", "triggers"),
        ("files", "files"),
        ("fileSearchStores", "file-search-stores"),
        ("voices", "voices"),
        ("decisions", "decisions"),
    )
)
