"""A call that a resource does not have, or a value that it cannot take, is refused in words that help."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.resources.api import Api, upload

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


def test_a_download_says_how(api: Api) -> None:
    """A download of an uploaded file without `alt=media` is told so."""
    name = upload(api)["name"]
    assert "alt=media" in api.send("GET", f"{ROOT}/{name}:download").message


def test_a_path_that_is_too_long_is_not_written(api: Api) -> None:
    """The length that came and the longest that is taken are told."""
    base = f"{ROOT}/environments/{api.environment()}/files"
    answer = api.send("PUT", f"/upload{base}/{'x' * 1025}", b"data")
    assert (answer.status, answer.message[:40]) == (400, "A path of 1025 characters is too long: 1")
    assert api.ok("GET", base).get("files", []) == []


def test_the_length_of_an_upload_is_a_number(api: Api) -> None:
    """An upload that announces anything else is not begun."""
    fields = {"protocol": "resumable", "command": "start", "header-content-length": "5 kB"}
    headers = {f"x-goog-upload-{name}": value for name, value in fields.items()}
    answer = api.send("POST", f"/upload{ROOT}/files", headers=headers)
    assert answer.status == 400
    assert "'5 kB': it must be a whole number of bytes" in answer.message
