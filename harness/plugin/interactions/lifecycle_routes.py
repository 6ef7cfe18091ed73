"""The routes that an interaction can take, and which of them a test's markers name.

Layer 7. A table: what happens on each route, and what the code under test must end with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean

TEXT = "All of the answer."

TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRoute:
    """One way a run can go. `script` answers the first create, `then` the next one.

    `acts` is (n, action): the action (cancel or delete) happens before the n-th GET. The first `missing` GETs get
    404. `status` is what the code under test must end with; None means that the interaction was deleted and GET
    returns 404.
    """

    story: str
    status: str | None
    script: Mapping[str, Any] = field(default_factory=dict)
    then: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    acts: tuple[int, str] | None = None
    missing: int = 0
    text: str | None = TEXT


ROUTES: dict[str, LifecycleRoute] = {
    "completed": LifecycleRoute(
        story="two polls in progress, then completed", status="completed", script={"text": TEXT}
    ),
    "failed": LifecycleRoute(
        story="in progress, then failed", status="failed", script={"status": "failed"}, text=None
    ),
    "cancelled": LifecycleRoute(
        story="somebody else cancels it after the first poll",
        status="cancelled", script={"text": TEXT, "ticks": 20}, acts=(2, "cancel"), text=None,
    ),
    "cancelled_early": LifecycleRoute(
        story="it is cancelled before anybody looks",
        status="cancelled", script={"text": TEXT}, acts=(1, "cancel"), text=None,
    ),
    "cancelled_late": LifecycleRoute(
        story="it is cancelled, and three polls still show it in progress",
        status="cancelled", script={"text": TEXT, "ticks": 20, "cancel_lag": 3}, acts=(1, "cancel"), text=None,
    ),
    "requires_action": LifecycleRoute(
        story="it stops for a function's result",
        status="requires_action", fields={"tools": [TOOL]}, text=None,
    ),
    "function_result": LifecycleRoute(
        story="it stops for a function's result; the client gives it in a next interaction, which completes",
        status="completed", fields={"tools": [TOOL]}, then={"text": TEXT},
    ),
    "incomplete": LifecycleRoute(
        story="it stops early, at a limit", status="incomplete", script={"text": TEXT, "status": "incomplete"}
    ),
    "queued": LifecycleRoute(
        story="two polls show it queued before it runs", status="completed", script={"text": TEXT, "queued": 2}
    ),
    "deleted": LifecycleRoute(
        story="somebody deletes it while it runs",
        status=None, script={"text": TEXT, "ticks": 20}, acts=(3, "delete"), text=None,
    ),
    "missing_at_first": LifecycleRoute(
        story="two polls right after the create get 404, then it completes",
        status="completed", script={"text": TEXT}, missing=2,
    ),
    "requires_continuation": LifecycleRoute(
        story="it stops with a continuation_token; the client goes on in a next interaction, which completes",
        status="completed",
        script={"text": "All ", "status": "requires_continuation"}, then={"text": "of the answer."},
        text="of the answer.",
    ),
}  # fmt: skip

COMMON = ("completed", "failed", "cancelled", "requires_action", "incomplete", "queued")
"""The routes used without a marker."""


def routes_of(definition: Any) -> list[str]:
    """The routes named by a test's markers, `COMMON` by default. Raises UsageFault for unknown names.

    `all` means those of a client that waits; the others need one that goes on in a next interaction.
    """
    names = [str(name) for marker in definition.iter_markers("interactions_lifecycle") for name in marker.args]
    known = (*ROUTES, "all")
    if unknown := [name for name in names if name not in known]:
        hints = "; ".join(f"{name!r}{did_you_mean(name, known, otherwise=' is none')}" for name in unknown)
        raise UsageFault(f"interactions_lifecycle: {hints}. The routes are {', '.join(ROUTES)}, or 'all'")
    waited = [name for name, route in ROUTES.items() if route.then is None] if "all" in names else []
    return list(dict.fromkeys([*waited, *(name for name in names if name != "all")])) or list(COMMON)
