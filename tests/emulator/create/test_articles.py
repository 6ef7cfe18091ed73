"""What people write who followed an article: the refusal names what they should have written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.emulator import Emulator
from harness.transport import ServiceDriver
from harness.wire import Headers, Request

WRITTEN: list[tuple[dict[str, Any], str]] = [
    ({"agent": "antigravity"}, "'antigravity-preview-05-2026' or 'antigravity-preview-09-2026'"),
    ({"agent": "deep-research", "background": True}, "'deep-research-"),
    ({"model": "gemini-3.5-flash", "session_config": {}}, "code-mender agent's 'agent_config'"),
    ({"model": "gemini-3.5-flash", "reasoning_effort": "low"}, "'thinking_level' inside 'generation_config'"),
    ({"model": "gemini-3.5-flash", "tools": ["code_execution"]}, 'write [{"type": "code_execution"}]'),
    ({"model": "gemini-3.5-flash", "tools": "google_search"}, 'write [{"type": "google_search"}]'),
    ({"model": "gemini-3.5-flash", "stor": False}, "Did you mean 'store'?"),
]


def refusal(method: str, path: str, body: dict[str, Any] | None = None) -> str:
    """The message with which the emulator refuses a request."""
    emulator = Emulator()
    headers = Headers([("x-goog-api-key", "k"), ("content-type", "application/json")])
    data = b"" if body is None else json.dumps(body).encode()
    exchange = ServiceDriver(emulator, emulator.clock).send(Request(method, path, headers, data))
    return str(json.loads(exchange.body)["error"]["message"])


@pytest.mark.parametrize(("written", "said"), WRITTEN, ids=[said for _, said in WRITTEN])
def test_a_field(written: dict[str, Any], said: str) -> None:
    """A name or value from an article is refused with the right one."""
    assert said in refusal("POST", "/v1beta/interactions", {"input": "Hi", **written})


@pytest.mark.parametrize("path", ["interactions/operations/x", "operations/x"])
def test_a_path(path: str) -> None:
    """Who polls an operation is told to poll the interaction."""
    assert "poll GET /v1beta/interactions/{id}" in refusal("GET", f"/v1beta/{path}")


@pytest.mark.parametrize("name", ["banana", "reasoning_budget", "output_length", "my_field"])
def test_nothing_is_close(name: str) -> None:
    """Where no name is close, none is suggested."""
    body = {"model": "gemini-3.5-flash", "input": "Hi", name: 1}
    assert "Did you mean" not in refusal("POST", "/v1beta/interactions", body)
