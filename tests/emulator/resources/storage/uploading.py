"""Uploads as the SDKs perform them, over the client of resources."""

from __future__ import annotations

from typing import Any

from tests.emulator.resources.api import Answer, Api

GOOG = "x-goog-upload-"
V = "/v1beta"


def start(
    api: Api, target: str, body: Any = None, size: int | None = None, media_type: str = "text/plain"
) -> Answer:
    """Send the first request of a resumable upload; `target` comes after the version."""
    headers = {GOOG + "protocol": "resumable", GOOG + "command": "start", "host": "127.0.0.1:1"}
    headers[GOOG + "header-content-type"] = media_type
    if size is not None:
        headers[GOOG + "header-content-length"] = str(size)
    return api.send("POST", f"/upload{V}/{target}", body, headers=headers)


def send(api: Api, started: Answer, command: str, data: bytes = b"", offset: int = 0) -> Answer:
    """Send a command to the address that the first answer names."""
    address = started.headers.get(GOOG + "url").removeprefix("http://127.0.0.1:1")
    return api.send("POST", address, data, headers={GOOG + "command": command, GOOG + "offset": str(offset)})


def upload(api: Api, data: bytes = b"hello", **metadata: Any) -> dict[str, Any]:
    """Upload a file in one piece and return it."""
    body = {"file": metadata} if metadata else None
    media_type = metadata.get("mimeType", "text/plain")
    done = send(api, start(api, "files", body, len(data), media_type), "upload, finalize", data)
    assert (done.status, done.headers.get(GOOG + "status")) == (200, "final"), done.data
    return dict(done.json["file"])
