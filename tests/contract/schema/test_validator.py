"""The validator says whether a value is valid, why not, and what in it is unknown."""

from __future__ import annotations

import pytest

from harness.contract import load
from tests.in_one_test import in_one_test

DELTA = {"event_type": "step.delta", "index": 0}
START = {"event_type": "step.start", "index": 0}
STATUS = {"event_type": "interaction.status_update", "interaction_id": "v1_a"}
CREATE = "requests/create-interaction"
MODEL = {"model": "gemini-flash-latest"}
ASK = {**MODEL, "input": "hello"}
AGENT = {"agent": "antigravity-preview-09-2026", "input": "hello"}
RESEARCH = {"agent": "deep-research-preview-04-2026", "input": "hello"}
HOOK = {"uri": "https://example.org/hook", "subscribed_events": ["interaction.completed"]}


def step(kind, **fields):
    """An interaction with one step."""
    return {"status": "completed", "steps": [{"type": kind, **fields}]}


def said(**content):
    """An interaction whose model output has one content part."""
    return step("model_output", content=[content])


# schema, value, pointer, words of the message; another type of each member is refused in `test_openness.py`
WRONG_RESPONSES = [
    ("interaction", {}, "$", '"status" is required'),
    ("interaction", {"status": "completed", "steps": [{}]}, "$.steps[0]", '"type" is required'),
    ("interaction", step("function_call", id="a", name="f"), "$.steps[0]", '"arguments" is required'),
    ("interaction", step("function_result", call_id="a"), "$.steps[0]", '"result" is required'),
    (
        "interaction",
        step("function_result", call_id="a", result=3),
        "$.steps[0].result",
        "string, array or object",
    ),
    ("interaction", step("google_search_call", arguments={}), "$.steps[0]", '"id" is required'),
    ("interaction", step("google_search_result", result=[]), "$.steps[0]", '"call_id" is required'),
    ("interaction", step("mcp_server_tool_call", id="a", name="f"), "$.steps[0]", '"server_name" is required'),
    ("interaction", step("thought", summary=[{"type": "text"}]), "$.steps[0].summary[0]", '"text" is required'),
    ("interaction", step("user_input", content={}), "$.steps[0].content", "array or string, not object"),
    ("interaction", said(type="text"), "$.steps[0].content[0]", '"text" is required'),
    (
        "interaction",
        {"status": "completed", "created": "yesterday"},
        "$.created",
        "has a form that is not allowed",
    ),
    ("interaction", {"status": "completed", "labels": {"K": "v"}}, "$.labels", "a label's key has"),
    ("event", {}, "$", '"event_type" is required'),
    ("event", {"event_type": "interaction.created"}, "$", '"interaction" is required'),
    ("event", {"event_type": "interaction.created", "interaction": {"id": ""}}, "$.interaction", '"status" is'),
    ("event", {**STATUS}, "$", '"status" is required'),
    ("event", {"event_type": "step.start", "step": {"type": "thought"}}, "$", '"index" is required'),
    ("event", {**START, "index": 0.5, "step": {"type": "thought"}}, "$.index", "should be integer"),
    ("event", {**START, "step": {}}, "$.step", '"type" is required'),
    ("event", {**DELTA}, "$", '"delta" is required'),
    ("event", {**DELTA, "delta": {}}, "$.delta", '"type" is required'),
    ("event", {**DELTA, "delta": {"type": "text"}}, "$.delta", '"text" is required'),
    ("event", {**DELTA, "delta": {"type": "google_search_call"}}, "$.delta", '"arguments" is required'),
    ("event", {"event_type": "error", "error": {"code": 404}}, "$.error.code", "should be string, not number"),
    ("error-body", {"error": {"message": "m"}}, "$.error", '"code" is required'),
    ("error-body", {"message": "m"}, "$", '"error" is required'),
    ("environments/environment", {"status": "active"}, "$", '"id" is required'),
    ("environments/file", {"size_bytes": "1k"}, "$.size_bytes", '"1k" has a form that is not allowed'),
    ("webhooks/webhook", {"uri": "https://example.org"}, "$", '"subscribed_events" is required'),
    ("triggers/execution", {"id": "e"}, "$", '"trigger_id" is required'),
]

WRONG_REQUESTS = [
    (CREATE, {**ASK, "session_id": "a"}, "$.session_id", '"session_id" is not a known field'),
    (CREATE, {**ASK, "systemInstruction": "a"}, "$.systemInstruction", 'did you mean "system_instruction"?'),
    (CREATE, {"input": "hello"}, "$", "exactly one of model and agent"),
    (CREATE, {**ASK, **AGENT}, "$", "exactly one of model and agent"),
    (CREATE, {**MODEL}, "$", "input is needed unless a continuation_token"),
    (CREATE, {**MODEL, "input": []}, "$.input", "is empty: at least 1 is needed"),
    (CREATE, {**MODEL, "input": 5}, "$.input", "should be string, object or array, not number"),
    (CREATE, {**MODEL, "input": [{"role": "user", "content": "a"}]}, "$.input[0]", '"type" is required'),
    (CREATE, {**MODEL, "input": [{"type": "user_imput"}]}, "$.input[0].type", 'did you mean "user_input"?'),
    (
        CREATE,
        {**MODEL, "input": [{"type": "text", "text": "a"}, {"type": "user_input", "content": []}]},
        "$.input",
        "either contents or steps",
    ),
    (
        CREATE,
        {**MODEL, "input": [{"type": "user_input", "content": [{"type": "text"}]}]},
        "$.input[0].content[0]",
        '"text" is required',
    ),
    (CREATE, {**AGENT, "generation_config": {}}, "$", '"generation_config" goes only with "model"'),
    (CREATE, {**AGENT, "cached_content": "a"}, "$", '"cached_content" goes only with "model"'),
    (CREATE, {**ASK, "agent_config": {"type": "dynamic"}}, "$", '"agent_config" goes only with "agent"'),
    (CREATE, {**ASK, "background": True, "store": False}, "$.store", "a background run has to be stored"),
    (CREATE, {**ASK, "webhook_config": {}}, "$", "webhook_config needs background"),
    (CREATE, {**RESEARCH}, "$", "deep research agents need background"),
    (CREATE, {**RESEARCH, "background": False}, "$.background", "deep research agents need background"),
    (CREATE, {**ASK, "service_tier": "gold"}, "$.service_tier", '"gold" is not allowed'),
    (CREATE, {**ASK, "labels": {"1st": "a"}}, "$.labels", "a label's key begins with a letter"),
    (CREATE, {**ASK, "labels": {"k": "v w"}}, "$.labels.k", "a label's value has lower-case letters"),
    (CREATE, {**ASK, "labels": {"k": "v" * 64}}, "$.labels.k", "has 64 characters: at most 63 are allowed"),
    (CREATE, {**ASK, "tools": [{"name": "f"}]}, "$.tools[0]", '"type" is required'),
    (CREATE, {**ASK, "tools": [{"type": "function", "nam": "f"}]}, "$.tools[0].nam", 'did you mean "name"?'),
    (
        CREATE,
        {**ASK, "generation_config": {"thinking_level": "extreme"}},
        "$.generation_config.thinking_level",
        "is not allowed",
    ),
    (
        CREATE,
        {**ASK, "generation_config": {"maxOutputTokens": 5}},
        "$.generation_config.maxOutputTokens",
        'did you mean "max_output_tokens"?',
    ),
    (CREATE, {**ASK, "environment": {"type": "local"}}, "$.environment.type", '"local" is not allowed'),
    (CREATE, {**ASK, "safety_settings": [{"type": "harassment"}]}, "$.safety_settings[0]", '"threshold" is req'),
    ("requests/create-environment", {"from_environment": "a", "sources": [{}]}, "$.sources", "a fork brings"),
    ("requests/create-credential", {"type": "bearer_token"}, "$", '"token" is required'),
    (
        "requests/create-credential",
        {"type": "bearer_token", "token": "t", "headerName": "X"},
        "$.headerName",
        'did you mean "header_name"?',
    ),
    ("requests/create-credential", {"type": "basic"}, "$.type", 'unknown type "basic"'),
    (
        "requests/create-webhook",
        {**HOOK, "subscribed_events": ["all"]},
        "$.subscribed_events[0]",
        "is not allowed",
    ),
    ("requests/create-trigger", {"schedule": "0 9 * * 1"}, "$", '"time_zone" is required'),
    ("requests/create-agent", {"id": "a", "tool": []}, "$.tool", 'did you mean "tools"?'),
]

RIGHT_REQUESTS = {
    "a string": ASK,
    "an agent's name as model": {
        "model": "antigravity-preview-09-2026",
        "input": "hello",
        "environment": "remote",
    },
    "one content": {**MODEL, "input": {"type": "text", "text": "a"}},
    "contents": {**MODEL, "input": [{"type": "text", "text": "a"}, {"type": "image", "uri": "gs://a"}]},
    "a step with bare text": {**MODEL, "input": [{"type": "user_input", "content": "a"}]},
    "a function result": {**MODEL, "input": [{"type": "function_result", "call_id": "a", "result": {"b": 1}}]},
    "a token for input": {**MODEL, "continuation_token": "abc", "previous_interaction_id": "v1_a"},
    "an unknown tool": {**ASK, "tools": [{"type": "filesystem", "root": "/"}]},
    "a free response format": {**ASK, "response_format": {"anything": 1}},
    "international labels": {**ASK, "labels": {"größe": "", "k-1_a": "日本"}},
    "stateless steps": {
        **MODEL,
        "store": False,
        "input": [
            {"type": "user_input", "content": [{"type": "text", "text": "a"}]},
            {"type": "thought", "signature": "c2ln"},
            {"type": "function_call", "id": "f", "name": "g", "arguments": {}, "signature": "c2ln"},
            {"type": "function_result", "call_id": "f", "result": "done"},
        ],
    },
    "deep research": {**RESEARCH, "background": True, "webhook_config": {"uris": ["https://example.org"]}},
    "an environment": {
        **AGENT,
        "environment": {
            "sources": [{"type": "inline", "target": "a.txt", "content": "a"}],
            "env": {"A": "b", "C": {"credential": "c"}},
            "network": {"allowlist": [{"domain": "*.example.org", "transform": {"X-A": "b"}}]},
        },
    },
}


@in_one_test(WRONG_RESPONSES)
def test_a_wrong_response_is_refused_with_a_readable_reason(name, value, pointer, words):
    """The open schema refuses a known type with a wrong shape, and says where and why."""
    assert_refused(load().schemas.validator(name), value, pointer, words)


@in_one_test(WRONG_REQUESTS)
def test_a_wrong_request_is_refused_with_a_readable_reason(name, value, pointer, words):
    """The strict schema refuses unknown names and violated rules between fields, and says where and why."""
    assert_refused(load().schemas.validator(name, closed=True), value, pointer, words)


def assert_refused(validator, value, pointer, words):
    """Assert that the first problem is the expected one and that no message dumps a whole union."""
    problems = validator.problems(value)
    assert not validator.is_valid(value)
    assert problems[0].pointer == pointer
    assert words in problems[0].message
    assert all(len(problem.message) < 300 for problem in problems)


@pytest.mark.parametrize("request_body", RIGHT_REQUESTS.values(), ids=RIGHT_REQUESTS)
def test_a_documented_request_is_accepted_by_the_strict_schema(request_body):
    assert load().schemas.validator(CREATE, closed=True).problems(request_body) == []


@pytest.mark.parametrize(
    "value",
    [{"status": "completed", "\ud800": 1}, {"status": "completed", 1: 2}, {"status": b"x"}],
    ids=["surrogate", "key", "bytes"],
)
def test_what_json_cannot_say_is_a_problem_and_not_an_exception(value):
    """A value that JSON cannot represent is reported as a problem instead of raising."""
    validator = load().schemas.validator("interaction")
    assert not validator.is_valid(value)
    assert [problem.keyword for problem in validator.problems(value)] == ["json"]
    assert validator.review(value).problems
