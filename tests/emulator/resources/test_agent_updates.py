"""A saved agent can be changed on Vertex, and nowhere else."""

from __future__ import annotations

import pytest

from harness.emulator import Settings
from tests.emulator.resources.api import Api

AGENT = {"id": "helper", "base_agent": "antigravity-preview-09-2026", "system_instruction": "Be brief."}


def new_api(platform: str) -> Api:
    """The resources of a platform, with one saved agent."""
    api = Api(settings=Settings(platform=platform))
    api.ok("POST", "/v1beta/agents", AGENT)
    return api


@pytest.mark.parametrize("platform", ["vertex", "any"])
def test_the_fields_of_the_mask_change(platform: str) -> None:
    """The others stay, even if the body names them; a wrong value or a new id is refused and changes nothing."""
    api = new_api(platform)
    saved = api.ok("GET", "/v1beta/agents/helper")
    change = {"description": "Helps.", "system_instruction": "Be long."}
    changed = api.ok("PATCH", "/v1beta/agents/helper?update_mask=description", change)
    assert AGENT.items() <= saved.items()
    assert changed == {**saved, "description": "Helps."} == api.ok("GET", "/v1beta/agents/helper")
    refused = api.refused("PATCH", "/v1beta/agents/helper", {"base_agent": "nobody"})
    assert refused == (400, "invalid_request")
    renamed = api.send("PATCH", "/v1beta/agents/helper", {"id": "other"})
    assert (renamed.status, "the id of an agent cannot change" in renamed.message) == (400, True)
    assert api.ok("GET", "/v1beta/agents/helper") == changed


def test_the_gemini_api_has_no_such_operation() -> None:
    """There it is a 404 that names the operations."""
    assert new_api("gemini").refused("PATCH", "/v1beta/agents/helper", {})[0] == 404
