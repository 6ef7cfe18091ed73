"""Creating interactions in the foreground: what the answer holds, and what is refused with which words."""

from __future__ import annotations

import base64
import json
from itertools import product

import pytest

from harness.contract import load
from harness.emulator import Emulator, Settings
from harness.emulator.engine import Engine
from tests.emulator.client import AGENT, MODEL, Api

FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def test_answer_is_the_same_in_every_run():
    """Two emulators with the same seed answer with the same bytes; another seed gives other ids."""
    first, second = Api().create("Hello").data, Api().create("Hello").data
    assert first == second
    assert Api(Emulator(seed=1)).create("Hello").json["id"] != json.loads(first)["id"]


REFUSED = [
    ({"session_id": "x"}, "parameter_unknown", "previous_interaction_id"),
    ({"sessionId": "x"}, "parameter_unknown", "previous_interaction_id"),
    ({"contents": []}, "parameter_unknown", "'input'"),
    ({"agent_id": "x"}, "parameter_unknown", "'agent'"),
    ({"operation_id": "x"}, "parameter_unknown", "poll GET"),
    ({"session_config": {}}, "parameter_unknown", "code-mender agent's 'agent_config'"),
    ({"schemaVersion": "1"}, "parameter_unknown", "leave it out"),
    ({"systemInstruction": "x"}, "parameter_unknown", "system_instruction"),
    ({"generationConfig": {}}, "parameter_unknown", "generation_config"),
    ({"temperature": 1}, "parameter_unknown", "generation_config"),
    ({"generation_config": {"topP": 1}}, "invalid_request", "'topP' at 'generation_config'"),
    ({"stram": True}, "parameter_unknown", "'stream'"),
    ({"generation_config": {"temperature": "hot"}}, "invalid_request", "generation_config.temperature"),
    ({"generation_config": {"thinking_level": "huge"}}, "invalid_request", "thinking_level"),
    ({"tools": [{"type": "gogle_search"}]}, "invalid_request", "'google_search'"),
    ({"model": None}, "invalid_request", "Neither"),
    ({"agent": AGENT, "model": MODEL}, "invalid_request", "Both"),
    ({"agent_config": {"type": "antigravity"}}, "invalid_request", "belongs to an agent"),
    ({"agent": AGENT, "generation_config": {}}, "invalid_request", "belongs to a model"),
    ({"input": None}, "invalid_request", "input"),
    ({"input": ""}, "invalid_request", "empty"),
    ({"input": []}, "invalid_request", "empty"),
    ({"input": 7}, "invalid_request", "input"),
    ({"input": [{"role": "user", "content": "x"}]}, "invalid_request", "legacy"),
    ({"background": True, "store": False}, "invalid_request", "store"),
    ({"webhook_config": {"uris": ["https://example.org"]}}, "invalid_request", "background"),
    ({"labels": {"Key": "x"}}, "invalid_request", 'the key is "Key"'),
    ({"labels": {"key": "a b"}}, "invalid_request", "the value at 'labels.key' is \"a b\""),
    ({"labels": {"key": 5}}, "invalid_request", "Invalid value at 'labels.key': should be string"),
    ({"agent": "deep-research-preview-04-2026"}, "invalid_request", "Agents are required to use background=true"),
    ({"model": "deep-research-preview-04-2026"}, "invalid_request", "takes minutes: send 'background': true"),
    ({"previous_interaction_id": 5}, "invalid_request", "previous_interaction_id"),
    ({"continuation_token": "made-up"}, "invalid_request", "not issued"),
    ({"agent": "antigravity"}, "not_found", "'antigravity-preview-05-2026' or 'antigravity-preview-09-2026'"),
    ({"agent": "deep-research", "background": True}, "not_found", "'deep-research-"),
    ({"reasoning_effort": "low"}, "parameter_unknown", "'thinking_level' inside 'generation_config'"),
    ({"tools": ["code_execution"]}, "invalid_request", 'write [{"type": "code_execution"}]'),
    ({"tools": "google_search"}, "invalid_request", 'write [{"type": "google_search"}]'),
    ({"stor": False}, "parameter_unknown", "Did you mean 'store'?"),
]


@pytest.mark.parametrize(("fields", "code", "words"), REFUSED, ids=[str(case[0]) for case in REFUSED])
def test_refusals_name_what_is_wrong(api, fields, code, words):
    """A wrong create gets the API's error code and a message that points to the right field."""
    answer = api.create(**fields)
    assert answer.error == (404 if code == "not_found" else 400, code)
    assert words in answer.message


MALFORMED = {
    "no body": b"",
    "cut": b'{"model":',
    "array": b"[]",
    "string": b'"x"',
    "nan": b'{"model": NaN}',
    "bad utf-8": b'{"model":"\xff"}',
    "lone surrogate": b'{"model":"\\ud800"}',
    "infinite": b'{"model":1e999}',
    "deep": b'{"input":' + b"[" * 20_000,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_bodies_are_400(api, data):
    """A body that is not a JSON object gets a 400, and the next request works."""
    assert api.call("POST", "interactions", data).error == (400, "invalid_request")
    assert api.create().status == 200


MODELS = [
    ("gemini-2.5-flash", 200),
    ("gemini-9.9-flash-preview", 200),
    ("gemini-flash-latest", 200),
    ("models/gemini-3.8-flash", 200),
    ("lyria-3-clip-preview", 200),
    ("gemini-omni-flash-preview", 200),
    (AGENT, 200),
    ("gemini-5-neon", 200),
    ("gemini-4-ultra", 200),
    ("gemini-4-pro-exp-0827", 200),
    ("gpt-5", 404),
    ("no-such-model", 404),
    ("gemini", 404),
]


@pytest.mark.parametrize(("name", "status"), MODELS)
def test_models_are_known_by_family(api, name, status):
    """A new version of a known model family is accepted; a model of an unknown family gets a 404."""
    assert api.create(model=name).status == status


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gemini-3.8-flsh", "gemini-3.8-flash"),
        ("gemini-3.5-flassh-lite", "gemini-3.5-flash-lite"),
        ("gemini-9.9-por", "gemini-9.9-pro"),
        ("gemini-3.1-pro-perview", "gemini-3.1-pro-preview"),
        ("models/gemini-3.8-flast", "models/gemini-3.8-flash"),
        ("gemini-flash-lates", "gemini-flash-latest"),
    ],
)
def test_a_misspelt_model_is_refused_as_live(api, name, meant):
    """A slip inside the name of a known family is no new model: the service has none of that name."""
    answer = api.create(model=name)
    assert answer.error == (404, "model_not_found")
    assert f"Did you mean '{meant}'?" in answer.json["error"]["message"]
    assert Api.with_settings(models="any").create(model=name).status == 200


def test_store_false_has_no_id_and_is_not_kept(api):
    """An unstored interaction has no id in JSON, an empty id in a stream, and cannot be read."""
    assert "id" not in api.create(store=False).json
    events = api.create(store=False, stream=True).events
    assert {event["interaction"]["id"] for event in events if "interaction" in event} == {""}
    assert api.get("").status != 200


def test_labels_and_parent_are_echoed():
    """Labels and previous_interaction_id are returned as they were sent, as documented, on platform `any`."""
    api = Api.with_settings(platform="any")
    parent = api.created(labels={"team": "a-1"})
    body = api.create(labels={"team": ""}, previous_interaction_id=parent).json
    assert (body["labels"], body["previous_interaction_id"]) == ({"team": ""}, parent)


@pytest.mark.parametrize("kind", ["object", "OBJECT"])
def test_json_format_brings_fitting_json(api, kind):
    """A schema in response_format gives JSON that fits it; the guide of Vertex sends one as `response_format`."""
    schema = {"type": kind, "properties": {"n": {"type": "integer", "minimum": 5}}, "required": ["n"]}
    for form in (schema, {"type": "text", "mime_type": "application/json", "schema": schema}):
        text = api.create(response_format=form).json["steps"][-1]["content"][0]["text"]
        assert json.loads(text) == {"n": 5}
    assert "structured output" in api.create(agent=AGENT, environment="remote", response_format=schema).message


@pytest.mark.parametrize(
    ("kind", "model", "magic"),
    [
        ("image", "gemini-3-pro-image", b"\xff\xd8\xff"),
        ("audio", "gemini-3.1-flash-tts-preview", bytes(16)),
        ("video", "gemini-omni-1.1-flash", b"\0\0\0"),
    ],
)
def test_media_formats_bring_tiny_files(kind, model, magic):
    """A medium in response_format or response_modalities gives a tiny valid file; sound has no header."""
    api = Api()
    for fields in ({"response_format": {"type": kind}}, {"response_modalities": [kind]}):
        content = api.create(model=model, **fields).json["steps"][-1]["content"][0]
        assert content["type"] == kind
        assert base64.b64decode(content["data"], validate=True).startswith(magic)


@pytest.mark.parametrize(("limit", "kept"), [(1, []), (32, []), (38, ["thought", "model_output"])])
def test_tiny_limit_is_incomplete(api, limit, kept):
    """If max_output_tokens is too low, the output is cut or missing and the run incomplete; thoughts count."""
    body = api.create(generation_config={"max_output_tokens": limit}).json
    assert body["status"] == "incomplete"
    assert [step["type"] for step in body.get("steps", ())] == kept


@pytest.mark.parametrize(("stops", "text"), [
    (["characters"], "This answers “One.”: déjà vu, 東京, 🦊; 4 "),
    (["characters", "One", "never"], "This answers “"),
    (["never"], "This answers “One.”: déjà vu, 東京, 🦊; 4 characters were read."),
    ([], "This answers “One.”: déjà vu, 東京, 🦊; 4 characters were read."),
])  # fmt: skip
def test_the_output_ends_before_the_first_stop(api, stops, text):
    """The first of the stop_sequences ends the output, which is completed, in a body and in a stream alike."""
    config = {"generation_config": {"stop_sequences": stops}}
    body = api.create("One.", **config).json
    assert body["status"] == "completed"
    assert body["steps"][-1]["content"][0]["text"] == text
    deltas = [event["delta"] for event in api.create("One.", stream=True, **config).events if "delta" in event]
    assert "".join(delta["text"] for delta in deltas if delta["type"] == "text") == text


@pytest.mark.parametrize(("asked", "thought"), [
    ({"max_output_tokens": 32}, 29),
    ({"max_output_tokens": 32, "thinking_summaries": "auto"}, 29),
    ({"max_output_tokens": 2}, 0),
    ({"max_output_tokens": 32, "thinking_level": "minimal"}, 0),
])  # fmt: skip
def test_thinking_uses_up_a_tiny_limit(api, asked, thought):
    """A thought that a limit cut is counted up to that limit, as in recordings, though no step shows it."""
    usage = api.create(model="gemini-3.5-flash", generation_config=asked).json["usage"]
    assert usage["total_thought_tokens"] == thought
    assert usage["total_output_tokens"] == 0
    assert usage["total_tokens"] == usage["total_input_tokens"] + thought


def test_thinking_summaries_on_request(api):
    """A thought has a summary only if the request asks for summaries."""
    plain = api.create().json["steps"][0]
    told = api.create(generation_config={"thinking_summaries": "auto"}).json["steps"][0]
    assert "summary" not in plain
    assert told["summary"][0]["type"] == "text"


ANYWHERE = Api.with_settings(platform="any")
"""A client of a surface that takes `retrieval`, which the Gemini API refuses."""
COUNTS = "gemini-3.8-flash"
"""Recorded with the newest fields of usage."""

SERVER_TOOLS = [
    ("google_search", "google_search"),
    ("code_execution", "code_execution"),
    ("url_context", "url_context"),
    ("google_maps", "google_maps"),
    ("file_search", "file_search"),
    ("retrieval", "retrieval"),
    ("mcp_server", "mcp_server_tool"),
]


@pytest.mark.parametrize(("tool", "stem"), SERVER_TOOLS)
def test_server_tools_show_a_pair(api, tool, stem):
    """Each server tool gives a call and a result with the id of that call, and the run completes."""
    if tool == "retrieval":
        api = ANYWHERE
    body = api.create(tools=[{"type": tool}]).json
    call, result = body["steps"][:2]
    assert (call["type"], result["type"]) == (f"{stem}_call", f"{stem}_result")
    assert result["call_id"] == call["id"]
    assert call["signature"]
    assert result["signature"]
    assert body["status"] == "completed"


@pytest.mark.parametrize("tool", ["google_search", "google_maps", "retrieval"])
def test_grounding_is_counted_in_queries(api, tool):
    """Grounding tools are counted by their queries and cost no tool-use tokens, as in recordings."""
    if tool == "retrieval":
        api = ANYWHERE
    usage = api.create(model=COUNTS, tools=[{"type": tool}]).json["usage"]
    searched = {"search_query_count": 1} if tool == "google_search" else {}
    assert usage["grounding_tool_count"] == [{"type": tool, "count": 1, **searched}]
    assert usage["total_tool_use_tokens"] == 0


@pytest.mark.parametrize(
    ("arguments", "count"), [({"queries": ["a", "b"]}, 2), ({}, 1), (7, 1)], ids=["two", "none", "no object"]
)
def test_every_query_of_a_call_counts(api, arguments, count):
    """A search with two queries counts as two, as recorded; scripted arguments of any other form count as one."""
    call = {"type": "google_search_call", "id": "c", "arguments": arguments}
    api.emulator.reply(steps=[call, {"type": "google_search_result", "call_id": "c", "result": []}])
    (counted,) = api.create(model=COUNTS).json["usage"]["grounding_tool_count"]
    assert counted == {"type": "google_search", "count": count, "search_query_count": count}


def test_mcp_steps_are_those_of_recordings(api):
    """The name holds the server's; a step starts without arguments and result, which one delta brings signed."""
    tool = {"type": "mcp_server", "name": "shop", "allowed_tools": ["find"]}
    events = api.create(stream=True, tools=[tool]).events[:-1]
    starts = [event["step"] for event in events if event["event_type"] == "step.start"][:2]
    call, result = [event["delta"] for event in events if event["event_type"] == "step.delta"][:2]
    assert [start["signature"] for start in starts] == ["", ""]
    assert not {"arguments", "result"} & {name for start in starts for name in start}
    assert call["name"] == result["name"] == "shop:find"
    assert call["signature"]
    assert result["signature"]
    assert result["result"].keys() == {"structured_content", "result", "call_tool_result_json"}


@pytest.mark.parametrize("tool", ["code_execution", "url_context", "file_search", "mcp_server"])
def test_other_tools_cost_tokens(api, tool):
    """A tool that does not ground the answer costs tool-use tokens and has no count of queries."""
    usage = api.create(tools=[{"type": tool}]).json["usage"]
    assert usage["total_tool_use_tokens"] > 0
    assert "grounding_tool_count" not in usage


def test_search_type_is_in_bodies_only(api):
    """A search has its type in the JSON body but in no event of a stream, as recorded."""
    search = {"tools": [{"type": "google_search"}]}
    assert api.create(**search).json["steps"][0]["search_type"] == "web_search"
    answer = api.create(stream=True, **search)
    (start,) = (event["step"] for event in answer.events[2:3])
    assert set(start) == {"id", "signature", "type"}
    assert b"search_type" not in answer.data


@pytest.mark.parametrize("tier", [None, "flex", "priority"])
def test_a_header_tells_the_tier(api, tier):
    """A header of every create names the tier that served it (priority page)."""
    for mode in ({}, {"stream": True}, {"background": True}):
        assert api.create(service_tier=tier, **mode).headers.get("x-gemini-service-tier") == (tier or "standard")


def test_annotations_count_bytes(api):
    """The span of a citation counts bytes, not characters."""
    content = api.create("東京", tools=[{"type": "google_search"}]).json["steps"][-1]["content"][0]
    assert content["annotations"][0]["end_index"] == len(content["text"].encode()) > len(content["text"])


FUNCTIONS = [
    ("Weather?", None, ["get_weather"]),
    ("Use get_time", None, ["get_time"]),
    ("get_weather and get_time", None, ["get_weather", "get_time"]),
    ("Weather?", "none", []),
    ("Weather?", "any", ["get_weather"]),
    ("Weather?", {"allowed_tools": {"mode": "any", "tools": ["get_time"]}}, ["get_time"]),
]


@pytest.mark.parametrize(("prompt", "choice", "names"), FUNCTIONS)
def test_declared_functions_are_called(api, prompt, choice, names):
    """The functions named in the prompt, or else the first one, are called with fitting arguments."""
    config = {"generation_config": {"tool_choice": choice}} if choice else {}
    body = api.create(prompt, tools=[FUNCTION, {**FUNCTION, "name": "get_time"}], **config).json
    calls = [step for step in body["steps"] if step["type"] == "function_call"]
    assert [call["name"] for call in calls] == names
    assert all(isinstance(call["arguments"]["city"], str) for call in calls)
    assert len({call["id"] for call in calls}) == len(calls)
    assert body["status"] == ("requires_action" if names else "completed")


@pytest.mark.parametrize("version", ["/v1", "/v1beta", "/v1beta1", "/v1beta1/projects/p/locations/l"])
def test_versions_are_one_service(api, version):
    """Every version prefix gives access to the same interactions."""
    found = api.created()
    api.root = version
    assert api.get(found).json["id"] == found


PATHS = [
    ("POST", "/v1beta/interactions/x:cancel", 404, "/cancel"),
    ("GET", "/v1beta/interactions/x/steps", 404, "/v1beta/interactions/{id}/cancel, not /steps"),
    ("GET", "/v1beta/interactions/live", 404, "the WebSocket of Live Interactions, which is not emulated"),
    ("GET", "/v1beta/operations/x", 404, "poll GET /v1beta/interactions/{id}"),
    ("GET", "/v1beta/interactions/operations/x", 404, "poll"),
    ("POST", "/v1beta/models/gemini-3.8-flash:generateContent", 404, "interactions"),
    ("POST", "/v1alpha/interactions", 404, "send it to /v1beta"),
    ("POST", "/interactions", 404, "version"),
    ("GET", "/v1beta/interaction/x", 404, "interactions"),
    ("PUT", "/v1beta/interactions", 404, "POST"),
    ("GET", "/v1beta/interactions", 404, "POST"),
    ("PATCH", "/v1beta/interactions/x", 404, "GET"),
    ("GET", "/v1beta/interactions/x/cancel", 404, "POST"),
    ("GET", "/v1beta/interactions/..%2Fagents", 404, ""),
    ("GET", "/v1beta/interactions/" + "x" * 5000, 404, ""),
    ("GET", "/", 404, ""),
]


@pytest.mark.parametrize(("method", "target", "status", "words"), PATHS, ids=[case[1][:40] for case in PATHS])
def test_wrong_paths_are_told_the_right_one(api, method, target, status, words):
    """A wrong path or method is refused with a message that suggests the right one."""
    answer = api.call(method, target)
    assert answer.error == (status, "not_found")
    assert words in answer.message


SAID = {"type": "text", "text": "One."}
ALIKE = {
    "other words": ({"text": "Two, and more."}, True),
    "a quote": ({"text": 'a "text":"b" \\'}, True),
    "no words": ({"text": ""}, False),
    "words of a number": ({"text": 1}, False),
    "more beside them": ({"txt": "x"}, False),
    "another kind": ({"type": "image", "uri": "https://generativelanguage.googleapis.com/v1beta/files/x"}, False),
}


@pytest.mark.parametrize("platform", ["gemini", "any", "vertex"])
@pytest.mark.parametrize("more", [{}, {"stream": True}, {"store": False}, {"tools": [FUNCTION]}], ids=str)
def test_a_create_of_a_known_form_gets_the_bytes_that_it_got_before(platform, more) -> None:
    """Every listed model is taken; the short way of plain creates leads to the bytes of another type of engine."""
    whole_type = type("Whole", (Emulator,), {"engine_type": type("OfAMutant", (Engine,), {})})
    short, whole = (Api(kind(Settings(platform=platform))) for kind in (Emulator, whole_type))
    models = load().schemas.document("model-name")["x-known-values"]
    for model, words in product([*models, ""], ("Hi.", 'A "quote", 東京.', "x" * 160, "x" * 170)):
        asked = {"model": model, "text": words} if model else {"text": [{**SAID, "text": words}]}
        first, second = (api.create(**asked, **more) for api in (short, whole))
        assert first.data == second.data
        assert first.status == 200 or more or platform == "vertex", model
        if first.status == 200 and "store" not in more:
            found = first.events[0]["interaction"]["id"] if "stream" in more else first.json["id"]
            assert short.get(found).data == whole.get(found).data
            assert len({api.create("And?", previous_interaction_id=found).data for api in (short, whole)}) == 1
    for api in (short, whole):
        api.emulator.reply("Scripted.", usage={"total_tokens": 7})
    assert short.create(**more).data == whole.create(**more).data


@pytest.mark.parametrize("in_a_turn", [True, False])
@pytest.mark.parametrize(("changes", "is_taken"), ALIKE.values(), ids=ALIKE)
def test_a_create_is_judged_like_one_with_other_words_before_it(changes, is_taken, in_a_turn) -> None:
    """A list like one that was taken is read for itself, and refused if it differs in more than words."""
    used = Api()
    for part in (SAID, {**SAID, **changes}, SAID):
        given = [{"type": "user_input", "content": [part]}] if in_a_turn else [part]
        again, alone = used.create(given), Api().create(given)
        assert again.status == alone.status
        assert (again.status == 200) is (is_taken or part is SAID)
        shown = [{**answer.json, "id": "", "steps": answer.json.get("steps", [])[1:]} for answer in (again, alone)]
        assert shown[0] == shown[1]
    last = used.created([SAID, {**SAID, "text": "Two."}])
    assert used.get(last).json["steps"][0]["content"] == [SAID, {**SAID, "text": "Two."}]
