"""A call that a resource does not have, or a value that it cannot take, is refused in words that help."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.resources.api import Api

ROOT = "/v1beta"
SPEECH = {"data": "YWJj", "mime_type": "audio/wav"}


def replicate(**speech: str) -> dict[str, Any]:
    """The body that makes a voice of a recording."""
    return {
        "voice": {"type": "replicated", "replicated": {"source_audio": SPEECH | speech, "consent_audio": SPEECH}}
    }


WRONG: dict[str, tuple[int, str, str, Any, str]] = {
    "voices": (404, "PATCH", "voices/v", None, "No such operation: PATCH /v1beta/voices/v; it has create, list"),
    "voice search": (400, "GET", f"voices?search={'x' * 2049}", None, "'search' has 2049 bytes: at most 2048"),
    "voice data": (400, "POST", "voices", replicate(data="not base64"), "voice.replicated.source_audio"),
    "decisions": (404, "GET", "decisions", None, "it has POST on /decisions"),
    "files": (404, "PATCH", "files/f", None, "it has get, list, :download and delete"),
    "snapshot": (404, "DELETE", "files/environment-e:download", None, "it has GET"),
    "source type": (400, "POST", "environments", {"sources": [{"target": "a"}]}, "each source needs a 'type'"),
    "source encoding": (
        400, "POST", "environments",
        {"sources": [{"type": "inline", "target": "a", "content": "", "encoding": "hex"}]},
        "The encoding 'hex' is not known: send base64",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("status", "method", "path", "body", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_told_what_is_right(
    api: Api, status: int, method: str, path: str, body: Any, told: str
) -> None:
    """The status says whose fault it is, and the message what the resource takes instead."""
    answer = api.send(method, f"{ROOT}/{path}", body)
    assert answer.status == status
    assert told in answer.message
