"""What agents refuse although models accept it; each case names the guide that says so."""

from __future__ import annotations

import pytest

from harness.emulator.values import samples
from tests.emulator.client import AGENT, Api

RESEARCH = "deep-research-preview-04-2026"
SCHEMA = {"type": "text", "mime_type": "application/json", "schema": {"type": "object"}}
INLINE = {"type": "image", "mime_type": "image/png", "data": samples.PNG}
VIDEO = {"type": "video", "mime_type": "video/mp4", "data": samples.MP4}
DOCUMENT = {"type": "document", "mime_type": "application/pdf", "data": "AAAA"}
LINKED = {"type": "image", "mime_type": "image/png", "uri": "https://example.org/a.png"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CALL = {"type": "function_call", "id": "c", "name": "f", "arguments": {}}
RESULT = {"type": "function_result", "call_id": "c", "name": "f", "result": "x"}

MANAGED = {  # from the Antigravity guide unless a comment says otherwise
    "schema": ({"response_format": SCHEMA}, "structured output"),
    "schema in a list": ({"response_format": [SCHEMA]}, "structured output"),
    "JSON": ({"response_format": {"type": "text", "mime_type": "application/json"}}, "structured output"),
    "JSON, deprecated": ({"response_mime_type": "application/json"}, "structured output"),
    "file search": ({"tools": [{"type": "file_search"}]}, "no file_search tool"),
    "maps": ({"tools": [{"type": "google_maps"}]}, "no google_maps tool"),
    "computer use": ({"tools": [{"type": "computer_use"}]}, "no computer_use tool"),
    "capitals": ({"tools": [{"type": "mcp_server", "name": "Docs", "url": "https://x"}]}, "written 'docs'"),
    "video": ({"input": [VIDEO]}, "no video"),
    "document": ({"input": [DOCUMENT]}, "no document"),
    "image by URI": ({"input": [LINKED]}, "inline only"),
    "stateless result": ({"input": [CALL, RESULT]}, "previous_interaction_id"),
    "config": ({"agent_config": {"type": "deep-research"}}, "not 'deep-research'"),  # schema: one type per agent
    "config of a third": ({"agent_config": {"type": "code-mender"}}, "not 'code-mender'"),
}

DEEP = {  # from the deep research guide unless a comment says otherwise
    "schema": ({"response_format": SCHEMA}, "structured output"),
    "function": ({"tools": [FUNCTION]}, "no function tool"),
    "computer use": ({"tools": [{"type": "computer_use"}]}, "no computer_use tool"),
    "video": ({"input": [VIDEO]}, "no video"),
    "instruction": ({"system_instruction": "Be brief."}, "'system_instruction'"),  # observed by a third party
    "config": ({"agent_config": {"type": "antigravity"}}, "not 'antigravity'"),
    "foreground": ({"background": None}, "background"),
}


def ask(api: Api, agent: str, fields: dict):
    """Create an interaction with a valid request for the agent, changed by `fields`."""
    usual = {"background": True} if agent == RESEARCH else {"environment": "remote"}
    usual |= fields
    return api.create(usual.pop("input", "Say hi."), agent=agent, **usual)


def saved(api: Api) -> str:
    """Save a custom agent and return its id."""
    assert api.call("POST", "agents", {"id": "mine", "base_agent": AGENT}).status == 200
    return "mine"


@pytest.mark.parametrize(("fields", "words"), MANAGED.values(), ids=MANAGED)
def test_managed_agents_refuse(api, fields, words):
    """Antigravity and agents saved from it refuse the same fields, and the message says which."""
    for agent in (AGENT, saved(api)):
        answer = ask(api, agent, fields)
        assert answer.error == (400, "invalid_request")
        assert words in answer.message
        assert agent in answer.message


@pytest.mark.parametrize(("fields", "words"), DEEP.values(), ids=DEEP)
def test_deep_research_refuses(api, fields, words):
    """Deep research refuses everything that its guide rules out."""
    answer = ask(api, RESEARCH, fields)
    assert answer.error == (400, "invalid_request")
    assert words in answer.message


TAKEN = {
    "plain": (AGENT, {}),
    "inline image": (AGENT, {"input": [INLINE]}),
    "function": (AGENT, {"tools": [FUNCTION]}),
    "own config": (AGENT, {"agent_config": {"type": "antigravity"}}),
    "dynamic config": (AGENT, {"agent_config": {"type": "dynamic"}}),
    "plain text format": (AGENT, {"response_format": {"type": "text", "mime_type": "text/plain"}}),
    "instruction": (AGENT, {"system_instruction": "Be brief."}),
    "unknown tool": (AGENT, {"tools": [{"type": "filesystem"}]}),
    "research": (RESEARCH, {}),
    "document for research": (RESEARCH, {"input": [DOCUMENT]}),
    "image by URI for research": (RESEARCH, {"input": [LINKED]}),
    "file search for research": (RESEARCH, {"tools": [{"type": "file_search"}]}),
    "capitals for research": (
        RESEARCH,
        {"tools": [{"type": "mcp_server", "name": "My Docs", "url": "https://x"}]},
    ),
    "research config": (RESEARCH, {"agent_config": {"type": "deep-research"}}),
    "mender": ("code-mender-preview-09-2026", {"agent_config": {"type": "code-mender"}}),
}


@pytest.mark.parametrize(("agent", "fields"), TAKEN.values(), ids=TAKEN)
def test_what_no_guide_rules_out_is_taken(api, agent, fields):
    """Agents refuse only what their guides rule out; everything else is accepted."""
    answer = ask(api, agent, fields)
    assert answer.status == 200, answer.data


def test_a_stateful_result_is_taken(api):
    """An agent accepts a function result sent with the id of the interaction that made the call."""
    api.emulator.reply(steps=[CALL])
    first = ask(api, AGENT, {"tools": [FUNCTION]}).json
    fields = {"previous_interaction_id": first["id"], "input": [RESULT], "tools": [FUNCTION]}
    assert ask(api, AGENT, fields).status == 200
