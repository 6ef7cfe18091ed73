"""A minimal client of an emulator: requests as method calls, answers as values, streams as lists of events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from harness.emulator import Emulator, Settings
from harness.wire import Body, Chunk, Ending, Headers, Pause, Request

MODEL = "gemini-3.8-flash"
AGENT = "antigravity-preview-09-2026"
PATIENCE = 300
"""Number of consecutive pauses after which a reader in this module gives up."""


@dataclass
class Answer:
    """One complete answer."""

    status: int
    headers: Headers
    data: bytes
    ending: Ending | None
    chunks: int = 0

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.data)

    @property
    def error(self) -> tuple[int, str]:
        """HTTP status and error code of a refusal."""
        return self.status, self.json["error"]["code"]

    @property
    def message(self) -> str:
        """Error message of a refusal."""
        return str(self.json["error"]["message"])

    @property
    def events(self) -> list[Any]:
        """Payloads of the stream's events; the closing sentinel is a string."""
        return list(payloads(self.data))

    @property
    def types(self) -> list[str]:
        """The event types of a stream, `[DONE]` for the sentinel."""
        return [event if isinstance(event, str) else event["event_type"] for event in self.events]

    @property
    def text(self) -> str:
        """All text deltas, joined."""
        deltas = (event.get("delta", {}) for event in self.events if isinstance(event, dict))
        return "".join(delta["text"] for delta in deltas if delta.get("type") == "text")


@dataclass
class Api:
    """An emulator together with the API key to call it with."""

    emulator: Emulator = field(default_factory=Emulator)
    key: str = "some-key"
    root: str = "/v1beta"

    @classmethod
    def with_settings(cls, **settings: Any) -> Api:
        """A client of a new emulator with these settings."""
        return cls(Emulator(Settings(**settings)))

    def request(self, method: str, target: str, body: Any = None, **headers: str) -> Request:
        """Build a request with the key; `body` is bytes or a JSON value."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"x-goog-api-key": self.key} if self.key else {}
        return Request(method, target, Headers({**fields, **headers}.items()), data)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request; a relative path goes below `root`, an absolute path is used as it is."""
        target = path if path.startswith("/") else f"{self.root}/{path}"
        response = self.emulator(self.request(method, target, body, **headers))
        data, ending = drain(self.emulator, response.body)
        return Answer(response.status, response.headers, b"".join(data), ending, len(data))

    def create(self, text: Any = "Say hi.", **fields: Any) -> Answer:
        """Create an interaction; fields given as None are left out."""
        body = {"model": MODEL, "input": text, **fields}
        if "agent" in fields:
            body.setdefault("model", None)
            body["model"] = fields.get("model")
        return self.call("POST", "interactions", {key: value for key, value in body.items() if value is not None})

    def created(self, text: Any = "Say hi.", **fields: Any) -> str:
        """Create an interaction, assert that it was accepted, and return its id."""
        answer = self.create(text, **fields)
        assert answer.status == 200, answer.data
        return str(answer.json["id"])

    def get(self, found: str, **query: Any) -> Answer:
        """Get an interaction."""
        text = urlencode({name: str(value).lower() if value is True else value for name, value in query.items()})
        return self.call("GET", f"interactions/{quote(found, safe='')}" + (f"?{text}" if text else ""))

    def status(self, found: str) -> str:
        """Poll once and return the status."""
        return str(self.get(found).json["status"])

    def cancel(self, found: str) -> Answer:
        """Cancel an interaction."""
        return self.call("POST", f"interactions/{found}/cancel")

    def delete(self, found: str) -> Answer:
        """Delete an interaction."""
        return self.call("DELETE", f"interactions/{found}")

    def control(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request to the control API."""
        return self.call(method, f"/__harness__/{path}", body)

    def open(self, found: str, **query: Any) -> Body:
        """Open a stream and return its body, still unread."""
        text = urlencode({"stream": "true", **query})
        return self.emulator(self.request("GET", f"{self.root}/interactions/{found}?{text}")).body


def drain(emulator: Emulator, body: Body) -> tuple[list[bytes], Ending | None]:
    """Return all chunks and the ending, or None for the ending if `PATIENCE` ran out. Pauses pass at once."""
    data, pauses = [], 0
    for piece in body:
        if isinstance(piece, Chunk):
            data.append(piece.data)
            pauses = 0
        elif isinstance(piece, Pause):
            emulator.clock.reached(emulator.clock.now + piece.seconds)
            pauses += 1
            if pauses > PATIENCE:
                body.close()
                return data, None
        else:
            body.close()
            return data, piece
    raise AssertionError("the body stopped without an ending")


def read(body: Body, events: int) -> list[Any]:
    """Return the next events of an open stream, one event to a chunk. Pauses pass at once."""
    found: list[Any] = []
    pauses = 0
    while len(found) < events and pauses < PATIENCE:
        piece = next(body, None)
        if isinstance(piece, Chunk):
            found += payloads(piece.data)
        elif piece is None or isinstance(piece, Ending):
            break
        else:
            pauses += 1
    return found


def payloads(data: bytes) -> Iterator[Any]:
    """Yield the payloads of frames that use LF only and have one line of data each."""
    for block in data.decode().split("\n\n"):
        for line in block.split("\n"):
            if line.startswith("data: "):
                yield line[6:] if line[6:] == "[DONE]" else json.loads(line[6:])


def without_ids(events: list[Any]) -> list[Any]:
    """Return the events without their cursors."""
    return [
        {key: value for key, value in event.items() if key != "event_id"} if isinstance(event, dict) else event
        for event in events
    ]
