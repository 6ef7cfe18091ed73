"""Models and counts of tokens, which stand beside interactions in the start-up of many programs."""

from __future__ import annotations

import pytest

from tests.emulator.client import Api


@pytest.fixture
def api():
    """An emulator."""
    return Api()


def test_models_are_listed_in_pages(api):
    """Every model of the tables is listed once, whatever the size of a page, and none is an agent."""
    names, token = [], ""
    while True:
        body = api.call("GET", f"models?pageSize=7&pageToken={token}").json
        names += [model["name"] for model in body["models"]]
        token = body.get("nextPageToken", "")
        if not token:
            break
    assert len(set(names)) == len(names)
    assert {"models/gemini-4-neon", "models/gemini-embedding-2", "models/lyria-3.5"} <= set(names)
    assert not any("antigravity" in name for name in names)
    assert len(api.call("GET", "models").json["models"]) == min(50, len(names))


def test_a_model_says_its_limits(api):
    """A model has its limits as its table has them; one that does not run here offers no create."""
    model = api.call("GET", "models/gemini-3.8-flash").json
    assert (model["name"], model["inputTokenLimit"], model["outputTokenLimit"]) == (
        "models/gemini-3.8-flash", 1_048_576, 65_536,
    )  # fmt: skip
    assert "createInteraction" in model["supportedGenerationMethods"]
    assert api.call("GET", "models/gemini-embedding-2").json["supportedGenerationMethods"] == []


def test_tokens_are_counted_as_in_usage(api):
    """The count of a text is that which `usage` has for it as input."""
    counted = api.call(
        "POST", "models/gemini-3.8-flash:countTokens", {"contents": [{"parts": [{"text": "Hello, world."}]}]}
    ).json
    assert counted["totalTokens"] == api.create("Hello, world.").json["usage"]["total_input_tokens"]


@pytest.mark.parametrize(("method", "path", "body", "status", "words"), [
    ("GET", "models/gemini-9-nope", None, 404, "GET /v1beta/models lists"),
    ("POST", "models/gemini-9-nope:countTokens", {"contents": [{}]}, 404, "not found"),
    ("POST", "models/gemini-3.8-flash:countTokens", {}, 400, "'contents' is missing"),
    ("POST", "models/gemini-3.8-flash:countTokens", [], 400, "'contents' is missing"),
    ("DELETE", "models/gemini-3.8-flash", None, 404, "list, get and :countTokens"),
    ("POST", "models/gemini-3.8-flash:generateContent", {}, 404, "Interactions API"),
])  # fmt: skip
def test_other_calls_are_refused(api, method, path, body, status, words):
    """What is not there, or belongs to another API, is refused, and the refusal says what to do."""
    answer = api.call(method, path, body)
    assert answer.status == status
    assert words in answer.message
