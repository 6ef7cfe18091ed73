"""What a target may be able to do, and the profiles that follow from it. Layer 2, tables."""

from __future__ import annotations

from harness.contract.rules import BY_ID
from harness.kit.check import Registry

PROFILES = ("core", "streaming", "background", "chaining", "tools", "agents")

CAPABILITIES: dict[str, str] = {
    "v1": "serves /v1 beside its default version",
    "auth": "checks API keys",
    "two-keys": "is tested with a second key, of another project",
    "store": "keeps interactions and serves GET",
    "stream": "streams events",
    "background": "runs in the background",
    "background-slow": "background runs last long enough to act on them",
    "event-ids": "gives the events of its background streams an event_id",
    "functions": "calls a declared function when forced to",
    "thoughts": "emits thought steps",
    "search": "runs the google_search tool",
    "agents": "runs agents",
    "environments": "gives managed agents an environment",
    "agents-crud": "lets this key create agents",
    "webhooks": "lets this key create webhooks",
    "continuation": "pauses with requires_continuation",
    "script": "can be scripted through /__harness__/",
}
"""Every capability a check may require, with its meaning; declared by the user or probed."""

PROFILE_GATES: dict[str, frozenset[str]] = {
    "core": frozenset(),
    "streaming": frozenset({"stream"}),
    "background": frozenset({"background"}),
    "chaining": frozenset({"store", "continuation"}),
    "tools": frozenset({"functions", "search"}),
    "agents": frozenset({"agents", "environments", "agents-crud", "webhooks"}),
}
"""Without `--profile`, a profile is on if any of these capabilities is present; `core` is always on."""


def new_registry() -> Registry:
    """An empty registry for the checks of one area."""
    return Registry(BY_ID, profiles=PROFILES, capabilities=CAPABILITIES)
