"""What the service refuses although its schemas allow it, by platform; and what is newer than the schemas."""

from __future__ import annotations

import json

import pytest

from harness.contract import load
from tests.emulator.client import AGENT, Api

CALL = {"type": "function_call", "id": "c1", "name": "f", "arguments": {}}
ASKED = {"type": "user_input", "content": [{"type": "text", "text": "Hello"}]}
SIGNED = {"type": "thought", "signature": "c2ln"}
RESULT = {"type": "function_result", "call_id": "c1", "result": "ok"}
TOOL = {"type": "function", "name": "f"}
VIDEO = {"type": "video"}
SPOKEN = {"type": "verbatim", "diarization_mode": "speaker"}
FILMS, SPEAKS = "gemini-omni-1.1-flash", "gemini-3.1-flash-tts-preview"
EMPTY = {"type": "text", "text": ""}
SAID_NOTHING = {"type": "model_output", "content": [EMPTY]}

LIVE = {
    "empty text": (
        {"text": [{"type": "user_input", "content": [EMPTY]}]},
        "Missing text in content of type text.",
    ),
    "empty piece": ({"text": [ASKED, SIGNED, CALL, {**RESULT, "name": "f", "result": [EMPTY]}]}, "Missing text"),
    "deferred": ({"service_tier": "deferred"}, "service_tier"),
    "audio by uri": (
        {"model": SPEAKS, "response_format": {"type": "audio", "delivery": "uri"}},
        "'delivery' is for video",
    ),
    "gone": ({"model": "gemini-2.0-flash"}, "Model family gemini-2.0 is not supported."),
    "thinking speech": ({"model": SPEAKS, "generation_config": {"thinking_level": "low"}}, "thinking_level"),
    "search beside functions": (
        {"model": "gemini-3.6-flash", "tools": [{"type": "google_search"}, TOOL]},
        "Please enable tool_config.include_server_side_tool_invocations",
    ),
    "a video that is not stored, by uri": (
        {"model": FILMS, "store": False, "response_format": {**VIDEO, "delivery": "uri"}},
        "store=true is required when response format has video delivery set to URI",
    ),
    "a duration without its unit": (
        {"model": FILMS, "response_format": {**VIDEO, "duration": "3"}},
        "The duration '3' is none",
    ),
    "a duration too long": (
        {"model": FILMS, "response_format": {**VIDEO, "duration": "11s"}},
        "from '3s' to '10s'",
    ),
    "files and the web": (
        {"tools": [{"type": "file_search"}, {"type": "google_search"}]},
        "file_search cannot be combined with google_search",
    ),
    "files and pages": (
        {"tools": [{"type": "url_context"}, {"type": "file_search"}]},
        "file_search cannot be combined with url_context",
    ),
    "words and speakers": (
        {
            "model": "gemini-3.5-transcribe",
            "text": [{"type": "audio", "data": "AAAA", "mime_type": "audio/wav"}],
            "generation_config": {"transcription_config": {"mode": SPOKEN, "custom_vocabulary": ["harness"]}},
        },
        "custom_vocabulary is incompatible with diarization.",
    ),
    "empty turn": ({"text": [{"type": "user_input", "content": []}]}, "Request has empty input."),
    "processing outside a step": (
        {"text": [{**VIDEO, "data": "AAAA", "mime_type": "video/mp4", "processing": "static"}]},
        "Unknown parameter 'processing' at 'input[0]'",
    ),
    "a type of speech on 2.5": (
        {"model": "gemini-2.5-flash-preview-tts", "response_format": {"type": "audio", "mime_type": "audio/wav"}},
        "takes no 'mime_type' for audio",
    ),
    "speakers": ({"generation_config": {"speech_config": {"speakers": []}}}, "Expected an array, got object"),
}
GEMINI = {
    "retrieval": ({"tools": [{"type": "retrieval"}]}, "no tool 'retrieval'"),
    "gcs": (
        {"model": FILMS, "response_format": {**VIDEO, "gcs_uri": "gs://a/b"}},
        "'gcs_uri' at 'response_format'",
    ),
    "tables": (
        {
            "agent": "deep-research-preview-04-2026",
            "background": True,
            "agent_config": {"type": "deep-research", "enable_bigquery_tool": True},
        },
        "'enable_bigquery_tool' at 'agent_config'",
    ),
    "result without name": (
        {"text": [ASKED, SIGNED, CALL, RESULT]},
        "Missing name in content of type function_result.",
    ),
    "turns": (
        {"text": [{"role": "user", "content": ASKED["content"]}, {"role": "model", "content": "Hi."}, ASKED]},
        "use step_list input format instead of turn_list",
    ),
    "an environment for research": (
        {"agent": "deep-research-preview-04-2026", "background": True, "environment": "remote"},
        "takes no 'environment'",
    ),
    "labels": ({"labels": {"team": "a"}}, "labels"),
    "safety": ({"safety_settings": [{"type": "harassment", "threshold": "off"}]}, "safety_settings"),
    "mime": ({"response_mime_type": "application/json"}, "use 'response_format'"),
    "cached": ({"cached_content": "cachedContents/1"}, "cached_content"),
}


def ask(platform, fields):
    """The answer of a platform to a create with these fields."""
    return Api.with_settings(platform=platform).create(**fields)


@pytest.mark.parametrize("platform", ["gemini", "vertex"])
@pytest.mark.parametrize(("fields", "words"), LIVE.values(), ids=LIVE)
def test_live_surfaces_refuse(platform, fields, words):
    """Both surfaces refuse it with 400, in the words that were reported; `any` takes it."""
    answer = ask(platform, fields)
    assert answer.error == (400, "invalid_request")
    assert words in answer.message
    assert ask("any", fields).status == 200


@pytest.mark.parametrize(("fields", "words"), GEMINI.values(), ids=GEMINI)
def test_the_gemini_api_refuses(fields, words):
    """Fields that only Vertex has are refused by the Gemini API, with what to do instead."""
    answer = ask("gemini", fields)
    assert answer.error == (400, "invalid_request")
    assert words in answer.message
    assert (ask("vertex", fields).status, ask("any", fields).status) == (200, 200)


RESEARCH = {"agent": "deep-research-preview-04-2026", "background": True}
SHORTEST = {**VIDEO, "delivery": "uri", "duration": "3s"}
VEO, LATEST = {"model": "veo-3.1-generate"}, {"model": "gemini-flash-latest"}


@pytest.mark.parametrize(("platform", "root", "fields", "status"), [
    ("gemini", "/v1beta", {"model": "gemini-3.8-flash", "tools": [{"type": "google_search"}, TOOL]}, 200),
    ("gemini", "/v1beta", {"model": "gemini-3.6-flash", "tools": [TOOL]}, 200),
    ("gemini", "/v1beta", {"model": FILMS, "response_format": SHORTEST}, 200),
    ("gemini", "/v1beta", {"model": FILMS, "response_format": {**VIDEO, "duration": "10s"}}, 200),
    ("gemini", "/v1beta", {"text": [ASKED, SAID_NOTHING, ASKED]}, 200),
    ("gemini", "/v1beta", {**RESEARCH, "tools": [{"type": "retrieval"}]}, 400),
    ("vertex", "/v1beta", {**RESEARCH, "tools": [{"type": "retrieval"}]}, 200),
    ("gemini", "/v1beta", VEO, 404),
    ("any", "/v1beta", VEO, 200),
    ("gemini", "/v1beta", LATEST, 200),
    ("gemini", "/v1", LATEST, 404),
], ids=str)  # fmt: skip
def test_what_is_close_to_a_refusal(platform, root, fields, status):
    """Another model, surface or version, one tool alone, and the limits of a duration decide."""
    api = Api.with_settings(platform=platform)
    api.root = root
    assert api.create(**fields).status == status


@pytest.mark.parametrize("agent", [AGENT, "deep-research-preview-04-2026"])
def test_the_types_of_agent_configs_are_named(agent):
    """An agent_config of an unknown type is refused with those that there are (one witness)."""
    answer = ask("gemini", {"agent": agent, "background": True, "agent_config": {"type": "bogus"}})
    assert answer.error == (400, "invalid_request")
    assert "antigravity, code-mender, deep-research or dynamic, not 'bogus'" in answer.message


def test_a_saved_agent_brings_its_environment_on_vertex():
    """On Vertex an agent that was saved with an environment needs none in the request; another one does."""
    api = Api.with_settings(platform="vertex")
    for name, fields in (("own", {"base_environment": {"type": "remote"}}), ("bare", {})):
        made = api.call("POST", "agents", {"id": name, "base_agent": AGENT, **fields})
        assert made.status == 200, made.data
    created = api.create(agent="own", background=True)
    assert created.status == 200
    assert created.json["environment_id"]
    assert "Environment configuration is required" in api.create(agent="bare", background=True).message


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"environment": "remote"}, "background"), ({"background": True}, "Environment")],
    ids=str,
)
def test_agents_on_vertex_need_background_and_environment(fields, words):
    """Vertex refuses an agent in the foreground, and one without a sandbox; the Gemini API takes both."""
    answer = ask("vertex", {"agent": AGENT, **fields})
    assert answer.status == 400
    assert words in answer.message
    assert ask("gemini", {"agent": AGENT, **fields}).status == 200


def test_a_run_of_an_agent_on_vertex():
    """The stream names no agent, ends with the environment, and a GET begins with the sandbox."""
    api = Api.with_settings(platform="vertex")
    events = api.create(agent=AGENT, environment="remote", background=True, stream=True).events[:-1]
    assert events[0]["interaction"].keys() == {"id", "status", "object"}
    end = events[-1]["interaction"]
    assert end["environment_id"].startswith("env_CAEQ")
    assert "agent" not in end
    assert "total_cached_tokens" not in end["usage"]
    starts = [event["step"]["type"] for event in events if event["event_type"] == "step.start"]
    assert starts == ["function_call", "function_result", "model_output"]
    kinds = [step["type"] for step in api.get(end["id"]).json["steps"]]
    assert kinds == ["provision_sandbox", "user_input", *starts]


def test_a_run_of_an_agent_on_the_gemini_api(api):
    """The order of the steps is the recorded one, and the first event names the environment."""
    events = api.create(agent=AGENT, environment="remote", stream=True).events[:-1]
    assert len(events[0]["interaction"]["environment_id"]) == 36
    starts = [event["step"]["type"] for event in events if event["event_type"] == "step.start"]
    assert starts == [
        "thought",
        "function_call",
        "function_result",
        "code_execution_call",
        "code_execution_result",
        "model_output",
    ]


def test_saved_agents_and_prefixes(api):
    """Saved agents and built-in ones of any date may be built on; `agents/` may stand before a name."""
    for name, base in (("one", "antigravity-preview-05-2026"), ("two", "one"), ("three", "agents/one")):
        assert api.call("POST", "agents", {"id": name, "base_agent": base}).status == 200
    assert api.call("POST", "agents", {"id": "four", "base_agent": "nobody"}).status == 400
    assert api.create(agent="agents/two", environment="remote").status == 200


UNKNOWN = {
    "top level": ({"quantum": True}, "Unknown parameter 'quantum'.", "parameter_unknown"),
    "in a step": (
        {"text": [ASKED, {**ASKED, "id": "x"}]},
        "Unknown parameter 'id' at 'input[1]'.",
        "invalid_request",
    ),
    "in a content": (
        {"text": [{"type": "text", "text": "x", "id": "x"}]},
        "Unknown parameter 'id' at 'input[0]'.",
        "invalid_request",
    ),
    "step": ({"text": [ASKED, {"type": "leap"}]}, 'unknown type "leap"', "invalid_request"),
    "content": ({"text": [{"type": "user_input", "content": [{"type": "smell"}]}]}, '"smell"', "invalid_request"),
    "tool": ({"tools": [{"type": "lathe"}]}, "there is no tool 'lathe'", "invalid_request"),
    "in a tool": (
        {"tools": [{"type": "function", "name": "f", "eager": True}]},
        "Unknown parameter 'eager'",
        "invalid_request",
    ),
    "value": ({"generation_config": {"thinking_level": "hyper"}}, '"hyper" is not allowed', "invalid_request"),
}


@pytest.mark.parametrize(("fields", "words", "code"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_newer_is_refused_or_accepted(api, fields, words, code):
    """A refusal says what is unknown, how new the schemas are and how to send it; then it is taken."""
    answer = api.create(**fields)
    assert answer.error == (400, code)
    assert words in answer.message
    assert load().schemas.as_of in answer.message
    assert "unknown=accept" in answer.message
    api.emulator.change(unknown="accept")
    assert [api.create(**fields).status, api.create(**fields).status] == [200, 200]
    api.emulator.change(unknown="refuse")
    assert api.create(**fields).status == 400


def test_what_was_sent_is_taken_back(api):
    """A step that only a script knows may be sent back, however strict the emulator is; a forged one may not."""
    leap = {"type": "leap", "to": "the moon", "id": "l1"}
    api.emulator.reply(steps=[leap, {"type": "model_output", "content": [{"type": "text", "text": "Done."}]}])
    steps = api.create([ASKED]).json["steps"]
    assert api.create([ASKED, *json.loads(json.dumps(steps)), ASKED]).status == 200
    assert api.create([ASKED, {**leap, "to": "the sun"}, ASKED]).status == 400
