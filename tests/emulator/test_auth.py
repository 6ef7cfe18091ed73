"""API keys: where a request may carry them, and which interactions they give access to."""

from __future__ import annotations

import pytest

from tests.emulator.client import MODEL, Api

BODY = {"model": MODEL, "input": "x"}

PLACES = [
    ({"x-goog-api-key": "a"}, "", 200),
    ({"X-Goog-Api-Key": "a"}, "", 200),
    ({"authorization": "Bearer a"}, "", 200),
    ({"authorization": "bearer a"}, "", 200),
    ({}, "?key=a", 200),
    ({}, "", 401),
    ({"x-goog-api-key": ""}, "", 401),
    ({"x-goog-api-key": "wrong"}, "", 401),
    ({"authorization": "Basic a"}, "", 401),
    ({"authorization": "Bearer wrong"}, "", 401),
    ({}, "?key=wrong", 401),
    ({"x-goog-api-key": "wrong", "authorization": "Bearer a"}, "", 401),
]


@pytest.mark.parametrize(("headers", "query", "status"), PLACES)
def test_places_of_a_key(headers, query, status):
    """A key is accepted in either header or in the query, the API key header first; without a valid key, 401."""
    api = Api.with_settings(keys={"a": "one"}, platform="any")
    api.key = ""
    answer = api.call("POST", f"interactions{query}", BODY, **headers)
    assert answer.status == status
    if status == 401:
        assert answer.error[1] == "authentication"
        assert "wrong" not in answer.message


@pytest.mark.parametrize(("platform", "status"), [("gemini", 400), ("vertex", 401), ("any", 401)])
def test_who_refuses_an_unknown_key(platform, status):
    """On the Gemini API the front end refuses a key that nobody knows, in its own shape; a missing one is 401."""
    api = Api.with_settings(keys={"a": "one"}, platform=platform)
    api.key = "wrong"
    error = (refused := api.create()).json["error"]
    assert refused.status == status
    assert error["code"] == (400 if platform == "gemini" else "authentication")
    if platform == "gemini":
        assert (error["status"], error["details"][0]["reason"]) == ("INVALID_ARGUMENT", "API_KEY_INVALID")
    api.key = ""
    assert api.create().status == 401


def test_any_key_by_default(api):
    """Without a table of keys, every key opens the same project, but some key is required, unless by setting."""
    found = api.created()
    api.key = "another"
    assert api.get(found).status == 200
    api.key = ""
    assert api.get(found).status == 401
    api.emulator.change(require_key=False)
    assert api.get(found).status == 200
