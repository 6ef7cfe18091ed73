"""The limit on the memory that resources take: what counts, what gives room back, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulator import Settings
from tests.emulator.resources.api import Api

LONG = "x" * 3000
KINDS: dict[str, dict[str, Any]] = {
    "agents": {"base_agent": "antigravity-preview-09-2026", "system_instruction": LONG},
    "credentials": {"type": "bearer_token", "token": LONG},
    "triggers": {
        "schedule": "0 0 * * *", "time_zone": "UTC", "interaction": {"model": "gemini-3.5-flash", "input": LONG},
    },
    "voices": {"voice": {"type": "prompted", "prompted": {"input": LONG}}, "store": True},
    "webhooks": {"name": LONG, "uri": "https://example.com/x", "subscribed_events": ["interaction.completed"]},
}  # fmt: skip


def small_api() -> Api:
    """An emulator with room for one long resource."""
    return Api(settings=Settings(max_resource_bytes=6000))


def body_of(kind: str, number: int) -> dict[str, Any]:
    """A body that creates a resource of this kind."""
    return KINDS[kind] | ({"id": f"agent{number}"} if kind == "agents" else {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_long_one_is_refused_until_the_first_is_gone(kind: str) -> None:
    """Also one whose long part no answer shows, such as a token; small ones fit meanwhile."""
    api = small_api()
    first = api.ok("POST", f"/v1beta/{kind}", body_of(kind, 1))["id"]
    refused = api.send("POST", f"/v1beta/{kind}", body_of(kind, 2))
    assert refused.status == 429
    assert "raise the emulator's setting max_resource_bytes=6000" in refused.message
    api.ok("GET", f"/v1beta/{kind}/{first}")
    api.ok("POST", "/v1beta/agents", {"id": "short", "base_agent": "antigravity-preview-09-2026"})
    api.ok("DELETE", f"/v1beta/{kind}/{first}")
    api.ok("POST", f"/v1beta/{kind}", body_of(kind, 3))


def test_what_a_change_adds_counts() -> None:
    """A resource that grows by a PATCH takes the room of others; the same change again takes no more."""
    api = small_api()
    hook = api.ok("POST", "/v1beta/webhooks", KINDS["webhooks"] | {"name": "short"})["id"]
    for _ in range(3):
        api.ok("PATCH", f"/v1beta/webhooks/{hook}?update_mask=name", {"name": LONG})
    assert api.send("POST", "/v1beta/webhooks", KINDS["webhooks"]).status == 429


def test_what_is_not_kept_takes_no_room() -> None:
    """A refused resource brings nothing that stays."""
    api = small_api()
    wrong = {"id": "a", "base_agent": "none", "system_instruction": LONG}
    for _ in range(3):
        assert api.refused("POST", "/v1beta/agents", wrong)[0] == 400
    api.ok("POST", "/v1beta/webhooks", KINDS["webhooks"])


def test_long_network_rules_make_older_environments_go() -> None:
    """Rules of a network take room as files do, so that the oldest environment expires."""
    api = Api()
    rules = {"network": {"allowlist": [{"domain": f"{'a' * 60}{n}.com"} for n in range(70_000)]}}
    made = [api.ok("POST", "/v1beta/environments", rules)["id"] for _ in range(6)]
    assert api.send("GET", f"/v1beta/environments/{made[0]}").status == 404
    api.ok("GET", f"/v1beta/environments/{made[-1]}")


def test_an_address_in_cloud_storage_is_no_longer_than_one_can_be() -> None:
    """Registered files keep their address, so its length is bounded."""
    api = Api()
    api.ok("POST", "/v1beta/files:register", {"uris": [f"gs://bucket/{'x' * 1024}"]})
    refused = api.send("POST", "/v1beta/files:register", {"uris": [f"gs://bucket/{'x' * 2000}"]})
    assert refused.status == 400
    assert "2012 characters" in refused.message
