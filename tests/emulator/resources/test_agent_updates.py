"""On Vertex a saved agent can be changed, and an operation creates it; nowhere else."""

from __future__ import annotations

import pytest

from harness.emulator import Settings
from tests.emulator.resources.api import NOON, Api

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


def test_a_create_on_vertex_is_an_operation() -> None:
    """It names the agent, which has the fields and the tool of a recording; a GET shows that it is done."""
    api = Api(settings=Settings(platform="vertex"))
    agents = "/v1beta1/projects/mine/locations/global/agents"
    made = api.ok("POST", agents, {**AGENT, "tools": [{"type": "filesystem"}]})
    name = "projects/mine/locations/global/agents/helper"
    times = {"createTime": NOON, "updateTime": NOON}
    assert made == {
        "name": f"{name}/operations/operation-0001",
        "metadata": {
            "@type": "type.googleapis.com/google.cloud.aiplatform.v1beta1.CreateAgentOperationMetadata",
            "genericMetadata": times,
        },
    }
    agent = api.ok("GET", f"{agents}/helper")
    fields = {"name": name, "created": NOON, "updated": NOON, "object": "agent", "tools": [{"type": "filesystem"}]}
    assert agent == {**AGENT, **fields}
    assert api.ok("GET", f"/v1beta1/{made['name']}") == {**made, "done": True, "response": agent}
    assert api.refused("GET", f"{agents}/helper/operations/operation-0002") == (404, "not_found")
    assert api.refused("GET", f"{agents}/other/operations/operation-0001") == (404, "not_found")
    api.ok("DELETE", f"{agents}/helper")
    assert api.refused("GET", f"/v1beta1/{made['name']}") == (404, "not_found")


@pytest.mark.parametrize("platform", ["gemini", "any"])
def test_elsewhere_a_create_is_the_agent(platform: str) -> None:
    """No operation belongs to it."""
    api = Api(settings=Settings(platform=platform))
    assert api.ok("POST", "/v1beta/agents", AGENT) == AGENT
    assert api.refused("GET", "/v1beta/agents/helper/operations/operation-0001")[0] == 404


def test_the_memory_of_agents_on_vertex_is_bounded() -> None:
    """An operation has no id, and its agent counts all the same."""
    api = Api(settings=Settings(platform="vertex", max_resource_bytes=2_000))
    for number in range(2):
        answer = api.send("POST", "/v1beta/agents", {**AGENT, "id": f"a{number}", "description": "d" * 1_000})
    assert (answer.status, "max_resource_bytes=2000" in answer.message) == (429, True)
