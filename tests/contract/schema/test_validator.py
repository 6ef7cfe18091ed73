"""The validator says whether a value is valid, why not, and what in it is unknown."""

from __future__ import annotations

import pytest

from harness.contract import load
from tests.in_one_test import in_one_test

START = {"event_type": "step.start", "index": 0}
CREATE = "requests/create-interaction"
MODEL = {"model": "gemini-flash-latest"}
ASK = {**MODEL, "input": "hello"}
AGENT = {"agent": "antigravity-preview-09-2026", "input": "hello"}
RESEARCH = {"agent": "deep-research-preview-04-2026", "input": "hello"}
HOOK = {"uri": "https://example.org/hook", "subscribed_events": ["interaction.completed"]}


def step(kind, **fields):
    """An interaction with one step."""
    return {"status": "completed", "steps": [{"type": kind, **fields}]}


# schema, value, pointer, words of the message; `test_openness.py` has what is missing and what has another type
WRONG_RESPONSES = [
    (
        "interaction",
        step("function_result", call_id="a", result=3),
        "$.steps[0].result",
        "string, array or object",
    ),
    ("interaction", step("user_input", content={}), "$.steps[0].content", "array or string, not object"),
    (
        "interaction",
        {"status": "completed", "created": "yesterday"},
        "$.created",
        "has a form that is not allowed",
    ),
    ("interaction", {"status": "completed", "labels": {"K": "v"}}, "$.labels", "a label's key has"),
    ("event", {**START, "index": 0.5, "step": {"type": "thought"}}, "$.index", "should be integer"),
    ("event", {"event_type": "error", "error": {"code": 404}}, "$.error.code", "should be string, not number"),
    ("environments/file", {"size_bytes": "1k"}, "$.size_bytes", '"1k" has a form that is not allowed'),
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
