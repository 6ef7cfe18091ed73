"""Turns after the first, and names: those that articles and other APIs write, and those that were seen live."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract import load
from harness.emulator.values.hints import FIELDS, unknown_field
from tests.emulator.client import AGENT, Api

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALLS = [
    {"type": "function_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Paris"}},
    {"type": "function_call", "id": "c2", "name": "get_weather", "arguments": {"city": "Rome"}},
]


def result(call_id: str, value: object = "sunny") -> dict:
    """A function result."""
    return {"type": "function_result", "call_id": call_id, "name": "get_weather", "result": value}


def asked(api: Api, *calls: dict) -> str:
    """Create an interaction that waits for the results of these calls, and return its id."""
    api.emulator.reply(steps=[*calls])
    return api.created("Weather?", tools=[WEATHER])


@pytest.mark.parametrize("goal", ["completed", "failed", "cancelled", "incomplete"])
def test_settled_parents_can_be_continued(api, goal):
    """A stored parent can be continued whatever status it settled in."""
    api.emulator.reply("So far.", status=goal)
    assert api.create(previous_interaction_id=api.created()).status == 200


def test_result_inside_user_input(api):
    """A function result inside a user_input step is accepted, as recordings show."""
    step = {"type": "user_input", "content": [result("c1")]}
    assert api.create([step], previous_interaction_id=asked(api, CALLS[0])).status == 200


def test_a_result_for_a_call_of_the_service(api):
    """The refusal names the kind of the call: the service executes it itself."""
    search = {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["sun"]}}
    refused = api.create([result("s1")], previous_interaction_id=asked(api, search, CALLS[0]))
    assert "the call 's1' (google_search_call, which the service executes itself), but" in refused.message


def test_parallel_results_in_any_order(api):
    """One request answers all pending calls, in any order."""
    given = [result("c2"), result("c1")]
    assert api.create(given, previous_interaction_id=asked(api, *CALLS)).status == 200


WRONG_RESULTS = {
    "other id": ([result("c9")], "pending are c1, c2"),
    "twice": ([result("c1"), result("c1")], "c1"),
    "one missing": ([result("c1")], "c2"),
}


@pytest.mark.parametrize(("given", "words"), WRONG_RESULTS.values(), ids=WRONG_RESULTS)
def test_wrong_results_are_refused(api, given, words):
    """Results must name the pending calls: all of them, each once, and no others."""
    answer = api.create(given, previous_interaction_id=asked(api, *CALLS))
    assert answer.error == (400, "invalid_request")
    assert words in answer.message


def test_a_call_that_is_sent_again_is_one_call(api):
    """@google/adk names the parent, and sends its call again beside the result."""
    parent = asked(api, CALLS[0])
    again = [CALLS[0], result("c1")]
    assert api.create(again, previous_interaction_id=parent, tools=[WEATHER]).status == 200


def test_text_after_a_pending_call(api):
    """A turn after a pending call may bring text instead of results."""
    assert api.create("Never mind.", previous_interaction_id=asked(api, CALLS[0])).status == 200


def stateless(api: Api) -> list[dict]:
    """Return the steps of a first turn with a function call and its result, as a stateless client sends them."""
    body = api.create("Weather?", tools=[WEATHER], store=False).json
    question = {"type": "user_input", "content": [{"type": "text", "text": "Weather?"}]}
    return [question, *body["steps"], result(body["steps"][-1]["id"])]


SEEN = {"type": "tool_call", "id": "c1", "signature": "c2ln"}


@pytest.mark.parametrize(
    ("step", "status"),
    [(SEEN, 200), ({**SEEN, "name": "x"}, 400), ({**SEEN, "type": "foo_call"}, 400)],
    ids=["as seen", "more", "another"],
)
def test_a_step_that_was_only_seen_is_taken_back(api, step, status):
    """`tool_call` with id and signature, seen by third-party probes, may be sent back; unknown steps may not."""
    asked = {"type": "user_input", "content": [{"type": "text", "text": "Hi."}]}
    answer = api.create([asked, step, asked], store=False)
    assert answer.status == status, answer.data


DAMAGES = {
    "missing": (lambda thought: thought.pop("signature"), "missing_thought_signature"),
    "empty": (lambda thought: thought.update(signature=""), "missing_thought_signature"),
    "cut": (lambda thought: thought.update(signature=thought["signature"][:-4]), "invalid_request"),
    "bit": (lambda thought: thought.update(signature=thought["signature"][:9] + "A" + thought["signature"][10:]),
            "invalid_request"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "code"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_signatures_are_noticed(api, damage, code):
    """A thought sent back without its signature, or with a changed one, is refused."""
    steps = stateless(api)
    damage(next(step for step in steps if step["type"] == "thought"))
    assert api.create(steps, tools=[WEATHER], store=False).error == (400, code)


def test_dropped_thought_is_noticed(api):
    """A function call sent back without the thought before it is refused."""
    steps = [step for step in stateless(api) if step["type"] != "thought"]
    for model in ("gemini-3.8-flash", "models/gemini-3.8-flash"):
        refused = api.create(steps, store=False, model=model)
        assert refused.error == (400, "missing_thought_signature"), model


def test_a_call_without_a_thought_comes_back(api):
    """A script's call that had no thought is taken back as it was received, by a client that stores nothing."""
    asked = {"type": "user_input", "content": [{"type": "text", "text": "Weather?"}]}
    api.emulator.reply(steps=[CALLS[0]])
    steps = api.create([asked], tools=[WEATHER], store=False).json["steps"]
    assert [step["type"] for step in steps] == ["function_call"]
    assert api.create([asked, *steps, result("c1")], tools=[WEATHER], store=False).status == 200


def test_foreign_signatures_pass(api):
    """Signatures from recordings and scripts are accepted without being verified."""
    for signature in ("signature_REDACTED_1", "CiQBDDnWxzCnKBoG0"):
        given = [{"type": "thought", "signature": signature}, {"type": "user_input", "content": "Hi"}]
        assert api.create(given).status == 200, signature


def test_continuation_token_of_somebody_else():
    """A continuation token is valid only in its own project."""
    api = Api.with_settings(keys={"a": "one", "b": "two"})
    api.key = "a"
    api.emulator.reply("One", continuation_token="dDE=")
    api.created()
    api.key = "b"
    assert api.create(continuation_token="dDE=").error == (400, "invalid_request")


ASKED = {"type": "user_input", "content": [{"type": "text", "text": "Go on."}]}


def test_a_citation_of_the_context_comes_back():
    """An annotation that the service wrote is taken as input, with any field; other unknown ones are not."""
    for kind, status in (("in_context_file_citation", 200), ("nonsense_citation", 400)):
        cited = {"type": "text", "text": "Hi.", "annotations": [{"type": kind, "start_index": 0, "file": "a.pdf"}]}
        history = [{"type": "model_output", "content": [cited]}, ASKED]
        assert Api().create(history).status == status


def test_an_agent_is_forked_with_env_id():
    """`env_id` is an older name of `environment_id`."""
    api = Api()
    found = api.create(agent=AGENT, environment="remote").json["environment_id"]
    agent = {"id": "fork", "base_agent": AGENT, "base_environment": {"env_id": found}}
    assert api.call("POST", "agents", agent).status == 200
    assert api.create(agent="fork", environment="remote").status == 200
    missing = api.call("POST", "agents", {**agent, "id": "none", "base_environment": {"env_id": 7}})
    assert missing.status == 400


CLI: dict[str, dict[str, Any]] = {
    "words": {"model": "gemini-4-hydrogen"},
    "speech": {
        "model": "gemini-3.8-flash-tts",
        "generation_config": {"speech_config": [{"voice": "Kore", "text_normalization": "on"}]},
    },
    "video": {"model": "gemini-omni-1.2-flash", "generation_config": {"video_config": {"task": "upscale"}}},
    "transcript": {
        "model": "gemini-3.5-transcribe",
        "input": [
            {"type": "user_input", "content": [{"type": "audio", "data": "AAAA", "mime_type": "audio/wav"}]}
        ],
    },
}


@pytest.mark.parametrize("fields", CLI.values(), ids=CLI)
def test_what_the_newest_client_sends(api, fields):
    """Google's command line is often days ahead of the SDKs: its default models, fields and headers are taken."""
    body = {"input": [{"type": "user_input", "content": [{"type": "text", "text": "Hi."}]}], **fields}
    for version in ("v1beta", "v1"):
        headers = {"api-revision": "2026-05-20", "x-server-timeout": "30000"}
        answer = api.call("POST", f"/{version}/interactions", body, **headers)
        assert answer.status == 200, answer.data


def test_hints_name_real_fields():
    """Hints exist only for names that are not fields, and none is empty."""
    known = load().schemas.document("requests/create-interaction")["$defs"]["fields"]["properties"]
    assert not set(FIELDS) & known.keys()
    assert all(FIELDS.values())
    assert "Unknown parameter 'zzz'." in unknown_field("zzz", known)
