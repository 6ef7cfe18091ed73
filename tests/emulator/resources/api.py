"""A minimal client of `Resources`: it routes a target, reads the answer and turns refusals into values."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from harness.contract import load
from harness.emulator.resources.router import Resources
from harness.emulator.values.call import Call, Refusal, route
from harness.emulator.values.settings import Settings
from harness.wire import Chunk, Headers, Request

NOON = "2026-09-21T12:00:00Z"


@dataclass
class Answer:
    """Status, headers and complete body of one answer."""

    status: int
    headers: Headers
    data: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.data)

    @property
    def code(self) -> str:
        """The error code of a refusal."""
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        """The error message of a refusal."""
        return str(self.json["error"]["message"])


@dataclass
class Api:
    """A client of a new `Resources`; tests may set the time, `now`, and the calling project, `project`."""

    now: str = NOON
    project: str = "default"
    settings: Settings = field(default_factory=Settings)
    resources: Resources = field(init=False)

    def __post_init__(self) -> None:
        count = itertools.count(1)
        ids = lambda prefix: f"{prefix}-{next(count):04d}"  # noqa: E731
        self.resources = Resources(ids, lambda: self.now, self.settings, load())

    def send(self, method: str, target: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Answer:
        """Send one request; `body` is bytes, or a dict or list that is sent as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = Request(method, target, Headers((headers or {}).items()), data)
        way = route(target)
        parsed = None if isinstance(body, bytes) else body
        call = Call(request, way.segments, way.query, parsed, self.project, version=way.version)
        try:
            response = self.resources.handle(call)
        except Refusal as refusal:
            response = refusal.response()
        assert response is not None, f"{target} is nobody's"
        data = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
        return Answer(response.status, response.headers, data)

    def ok(self, method: str, target: str, body: Any = None, **more: Any) -> Any:
        """Return the parsed body of an answer, which must be a 200."""
        answer = self.send(method, target, body, **more)
        assert answer.status == 200, answer.data
        return answer.json

    def refused(self, method: str, target: str, body: Any = None, **more: Any) -> tuple[int, str]:
        """Return status and code of an answer, which must be a refusal."""
        answer = self.send(method, target, body, **more)
        assert answer.status >= 400, answer.data
        return answer.status, answer.code

    def environment(self, **body: Any) -> str:
        """Create an environment and return its id."""
        return str(self.ok("POST", "/v1beta/environments", body)["id"])
