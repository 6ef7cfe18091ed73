"""A minimal client of `Resources`: it routes, reads answers, turns refusals into values, and uploads."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from harness.contract import load
from harness.emulator.resources.router import Resources
from harness.emulator.resources.triggers import LookUp, Run
from harness.emulator.values.call import Call, Refusal, route
from harness.emulator.values.settings import PLATFORMS, Settings
from harness.emulator.values.stamps import Stamps
from harness.wire import Chunk, Headers, Request
from tests.emulator.client import Answer

NOON = "2026-09-21T12:00:00Z"
GOOG = "x-goog-upload-"
V = "/v1beta"


@dataclass
class Api:
    """A client of a new `Resources`; tests may set the time, the project, and what stands for interactions."""

    now: str = NOON
    project: str = "default"
    settings: Settings = field(default_factory=Settings)
    run: Run = lambda body, project: {"id": "v1_x", "status": "completed"}
    look_up: LookUp = lambda found, project: None
    resources: Resources = field(init=False)

    def __post_init__(self) -> None:
        count = itertools.count(1)
        ids = lambda prefix: f"{prefix}-{next(count):04d}"  # noqa: E731
        self.resources = Resources(
            Stamps(ids, lambda: self.now),
            self.settings,
            load(),
            look_up=lambda found, project: self.look_up(found, project),
            run=lambda body, project: self.run(body, project),
        )

    def send(self, method: str, target: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Answer:
        """Send one request; `body` is bytes, or a dict or list that is sent as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = Request(method, target, Headers((headers or {}).items()), data)
        way = route(target)
        parsed = None if isinstance(body, bytes) else body
        call = Call(
            request, way.segments, way.query, parsed, self.project, PLATFORMS[self.settings.platform], way.version
        )
        try:
            response = self.resources.handle(call)
        except Refusal as refusal:
            response = refusal.response()
        assert response is not None, f"{target} is nobody's"
        data = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
        return Answer(response.status, response.headers, data, None)

    def ok(self, method: str, target: str, body: Any = None, **more: Any) -> Any:
        """Return the parsed body of an answer, which must be a 200."""
        answer = self.send(method, target, body, **more)
        assert answer.status == 200, answer.data
        return answer.json

    def refused(self, method: str, target: str, body: Any = None, **more: Any) -> tuple[int, str]:
        """Return status and code of an answer, which must be a refusal."""
        answer = self.send(method, target, body, **more)
        assert answer.status >= 400, answer.data
        return answer.error

    def environment(self, **body: Any) -> str:
        """Create an environment and return its id."""
        return str(self.ok("POST", "/v1beta/environments", body)["id"])


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
