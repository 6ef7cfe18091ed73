"""An honest server of interactions that shares nothing with the harness: a standard library server, some 150
lines.

Defects and odd but correct behaviour are subclasses that override one method. It offers creates, reads, deletes,
streams, background runs with event ids and resumes, cancels and chains; no tools, no agents, no control API.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.foreign.listening import listening

LONG, SHORT = 0.8, 0.05
"""Seconds that a background run takes, for inputs that ask for many words and for others."""

FIELDS = {
    "model": str, "agent": str, "input": (str, list, dict), "stream": bool, "background": bool, "store": bool,
    "previous_interaction_id": str, "generation_config": dict, "response_format": (dict, list),
    "system_instruction": str, "tools": list, "labels": dict, "agent_config": dict, "webhook_config": dict,
    "service_tier": str, "environment": (str, dict), "response_modalities": list,
}  # fmt: skip

Json = dict[str, Any]


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str = "no") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}


@dataclass
class Run:
    """One interaction; its state follows from the clock."""

    id: str
    input: Any
    tokens: int
    seconds: float
    words: tuple[str, ...] = ("Hello ", "from ", "afar.")
    cancelled: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> int:
        """How many of its words are out."""
        spent = time.monotonic() - self.began
        return len(self.words) if spent >= self.seconds else int(len(self.words) * spent / self.seconds)

    @property
    def status(self) -> str:
        """What it says of itself."""
        if self.cancelled:
            return "cancelled"
        return "completed" if time.monotonic() - self.began >= self.seconds else "in_progress"

    def body(self, *, steps: bool = True) -> Json:
        """It as an interaction."""
        text = {"type": "model_output", "content": [{"type": "text", "text": "".join(self.words)}]}
        known: Json = {"id": self.id} if self.id else {}
        over = self.status == "completed"
        return {
            **known, "object": "interaction", "model": "gemini-x", "status": self.status,
            "created": "2026-01-01T00:00:00Z", "updated": "2026-01-01T00:00:00Z",
            **({"steps": [text] if over else []} if steps else {}),
            **({"usage": usage(self.tokens)} if over else {}),
        }  # fmt: skip


def usage(tokens: int) -> Json:
    """The price of a turn."""
    return {"total_input_tokens": tokens, "total_output_tokens": 3, "total_tokens": tokens + 3}


class Service:
    """The honest behaviour; a defect overrides one of these methods."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.numbers = itertools.count(1)
        self.log: list[str] = []
        self.over = threading.Event()

    def pause(self) -> None:
        """Wait a moment for a run to go on; give up when the server has been shut down."""
        if self.over.wait(0.01):
            raise ConnectionAbortedError("the server was shut down")

    def create(self, body: Json) -> Run:
        """Make a run of a body that is in order."""
        parent = self.find(body["previous_interaction_id"]) if "previous_interaction_id" in body else None
        if parent is not None and parent.status != "completed":
            raise Refusal(400, "failed_precondition")
        tokens = len(json.dumps(body["input"]).split()) + (parent.tokens + 3 if parent else 0)
        return self.begin(body, tokens)

    def begin(self, body: Json, tokens: int) -> Run:
        """Begin a run, in the background or not."""
        seconds = 0.0 if not body.get("background") else LONG if "words" in str(body["input"]) else SHORT
        keeps = body.get("store") is not False
        run = Run(f"int-{next(self.numbers)}" if keeps else "", body["input"], tokens, seconds)
        if keeps:
            self.runs[run.id] = run
        return run

    def find(self, wanted: str) -> Run:
        """The run of an id."""
        if wanted not in self.runs:
            raise Refusal(404, "not_found", f"There is no interaction {wanted!r}.")
        return self.runs[wanted]

    def streams(self, body: Json) -> bool:
        """Whether a create is answered with a stream."""
        return bool(body.get("stream"))

    def cancel(self, run: Run) -> None:
        """Cancel a run."""
        if run.status != "in_progress":
            raise Refusal(400, "failed_precondition")
        run.cancelled = True

    def delete(self, run: Run) -> None:
        """Forget a run."""
        del self.runs[run.id]

    def events(self, run: Run) -> Iterator[Json]:
        """The events of a run as they come."""
        running = {**run.body(steps=False), "status": "in_progress"}
        running.pop("usage", None)
        yield {"event_type": "interaction.created", "interaction": running}
        yield {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}}
        for number, word in enumerate(run.words):
            while run.done <= number and run.status == "in_progress":
                self.pause()
            if run.cancelled:
                break
            yield {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": word}}
        yield {"event_type": "step.stop", "index": 0}
        while run.status == "in_progress":
            self.pause()
        yield {"event_type": "interaction.completed", "interaction": run.body(steps=False)}

    def resume(self, run: Run, last: str | None) -> Iterator[Json | str]:
        """The events of a stored run, after the one with the id `last`."""
        named = [f"e{number}" for number in range(100)]
        if last is not None and last not in named:
            raise Refusal(400, "invalid_request")
        for number, event in enumerate(self.events(run)):
            if last is None or number > named.index(last):
                yield {**event, "event_id": named[number]}
        yield "[DONE]"


def checked(service: Service, raw: bytes) -> Json:
    """The body of a create, if it is in order."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refusal(400, "invalid_request", "no JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_request", "no object")
    for name, value in body.items():
        if name not in FIELDS or not isinstance(value, FIELDS[name]):  # type: ignore[arg-type]
            raise Refusal(400, "invalid_request", f"wrong: {name}")
    if ("model" in body) == ("agent" in body) or "input" not in body:
        raise Refusal(400, "invalid_request", "one of model and agent, and input")
    level = body.get("generation_config", {}).get("thinking_level", "low")
    if not body["input"] or level not in ("minimal", "low", "medium", "high"):
        raise Refusal(400, "invalid_request", "an empty input, or an unknown level")
    if body.keys() & {"agent", "tools", "agent_config", "webhook_config", "response_format"}:
        raise Refusal(400, "invalid_request", "not offered")
    if not body["model"].startswith("gemini"):
        raise Refusal(404, "not_found", "no such model")
    if body.get("background") and body.get("store") is False:
        raise Refusal(400, "invalid_request", "store=true is required")
    return body


class Handler(BaseHTTPRequestHandler):
    """HTTP for a service."""

    protocol_version = "HTTP/1.1"
    service: Service

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = urlsplit(self.path)
        self.service.log.append(f"{self.command} {self.path}")
        try:
            self._route([unquote(part) for part in url.path.strip("/").split("/")], parse_qs(url.query), raw)
        except Refusal as refusal:
            self._json(refusal.status, refusal.body)

    do_GET = do_POST = do_DELETE = do_PUT = _handle

    def _route(self, parts: list[str], query: dict[str, list[str]], raw: bytes) -> None:
        service = self.service
        match self.command, parts:
            case "POST", ["v1beta", "interactions"]:
                body = checked(service, raw)
                run = service.create(body)
                if service.streams(body):
                    named = (
                        service.resume(run, None) if body.get("background") else (*service.events(run), "[DONE]")
                    )
                    self._stream(named)
                else:
                    self._json(200, run.body())
            case "GET", ["v1beta", "interactions", wanted]:
                run = service.find(wanted)
                if query.get("stream") == ["true"]:
                    self._stream(service.resume(run, query.get("last_event_id", [None])[0]))
                else:
                    self._json(200, run.body())
            case "DELETE", ["v1beta", "interactions", wanted]:
                service.delete(service.find(wanted))
                self._json(200, {})
            case "POST", ["v1beta", "interactions", wanted, "cancel"]:
                run = service.find(wanted)
                service.cancel(run)
                self._json(200, run.body())
            case _:
                raise Refusal(404, "not_found", "no such route")

    def _json(self, status: int, value: Any) -> None:
        payload = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _stream(self, events: Any) -> None:
        events = iter(events)
        first = next(events)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in itertools.chain([first], events):
            name = "done" if event == "[DONE]" else event["event_type"]
            data = event if event == "[DONE]" else json.dumps(event)
            frame = f"event: {name}\ndata: {data}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
        self.wfile.write(b"0\r\n\r\n")


@contextmanager
def serve_foreign(service: Service, handler: type[Handler] = Handler) -> Iterator[str]:
    """Serve it on loopback; gives its URL."""
    bound = type("Bound", (handler,), {"service": service})
    with listening(bound, service.over.set) as url:
        yield url
