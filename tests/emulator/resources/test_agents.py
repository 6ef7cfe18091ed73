"""Saved agents: which can be created and are returned as saved; on Vertex, changes and operations."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.tables.protocol import RESERVED_PREFIXES
from harness.emulator import Settings
from tests.emulator.resources.api import NOON, Api

BASE = "antigravity-preview-09-2026"
AGENTS = "/v1beta/agents"


def agent(**more: Any) -> dict[str, Any]:
    """A valid body of a create, with changes."""
    return {"id": "csv-helper", "base_agent": BASE, **more}


@pytest.mark.parametrize("prefix", RESERVED_PREFIXES)
def test_reserved_prefixes_are_refused_in_any_case(api: Api, prefix: str) -> None:
    """Ids with the provider's own prefixes are refused, in any capitalisation."""
    assert api.refused("POST", AGENTS, agent(id=f"{prefix.title()}x")) == (400, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        {"id": "a"},
        {"base_agent": BASE},
        agent(base_agent="gemini-3.8-flash"),
        agent(id="a/b"),
        agent(systemInstruction="x"),
        agent(tools="code_execution"),
        agent(tools=[{"type": "computer_use"}]),
        agent(tools=["code_execution"]),
        agent(tools=[{"type": "mcp_server", "name": "Docs", "url": "https://m.example"}]),
        agent(tools=[{"type": "mcp_server", "name": "docs"}]),
        agent(agent_config={"type": "deep-research"}),
        agent(agent_config={"type": "antigravity", "max_total_tokens": 0}),
        agent(base_environment={"type": "local"}),
        agent(base_environment={"sources": [{"type": "inline", "target": "/", "content": ""}]}),
    ],
)
def test_what_cannot_be_saved_is_400(api: Api, body: Any) -> None:
    """Missing, unknown and invalid fields are refused, and nothing is saved."""
    assert api.refused("POST", AGENTS, body) == (400, "invalid_request")
    assert api.ok("GET", AGENTS) == {}


def test_a_tool_may_name_only_a_credential_that_exists(api: Api) -> None:
    """A tool that names a credential which does not exist gets 404."""
    tool = {"type": "mcp_server", "name": "docs", "url": "https://m.example", "credential": "key"}
    assert api.refused("POST", AGENTS, agent(tools=[tool])) == (404, "not_found")
    api.ok("POST", "/v1beta/credentials", {"id": "key", "type": "bearer_token", "token": "t"})
    assert api.ok("POST", AGENTS, agent(tools=[tool]))["tools"] == [tool]


@pytest.mark.parametrize(
    ("method", "target"), [("PATCH", "csv-helper"), ("PUT", "csv-helper"), ("POST", "csv-helper")]
)
def test_there_is_no_update(api: Api, method: str, target: str) -> None:
    """A saved agent cannot be changed: there is no route for updates."""
    api.ok("POST", AGENTS, agent())
    assert api.refused(method, f"{AGENTS}/{target}", agent()) == (404, "not_found")


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ({}, "'tools[0]': \"type\" is required"),
        (7, "'tools[0]': should be object, not number"),
        ({"type": "mcp_server"}, "'tools[0]': an mcp_server needs a name"),
        ({"type": "computer_use"}, "'tools[0].type': the tool 'computer_use' is none that a saved agent takes"),
    ],
)
def test_a_wrong_tool_is_told_with_its_place(api: Api, tool: Any, words: str) -> None:
    """The refusal says which tool is wrong and why, and does not mention Python's None."""
    answer = api.send("POST", AGENTS, agent(tools=[tool]))
    assert (answer.error[1], words in answer.message, "None" in answer.message) == ("invalid_request", True, False)


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
    deleted = api.ok("DELETE", f"{agents}/helper")
    assert (deleted["name"], deleted["done"]) == (f"{name}/operations/operation-0002", True)
    assert api.refused("GET", f"/v1beta1/{made['name']}") == (404, "not_found")
