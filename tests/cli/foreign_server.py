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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.busy_machine import Stretch
from tests.foreign.answering import AnsweringHandler, Json, Refused, encode_event, parse_object
from tests.foreign.listening import listening

LONG, SHORT = 0.8, 0.05
"""Seconds that a background run takes, for inputs that ask for many words and for others."""

WORDS = ("Hello ", "from ", "afar.")

DETAILED = 500
"""Characters of an input from which on a run takes three times as long, as a model does that is asked for more."""

FIELDS = {
    "model": str, "agent": str, "input": (str, list, dict), "stream": bool, "background": bool, "store": bool,
    "previous_interaction_id": str, "generation_config": dict, "response_format": (dict, list),
    "system_instruction": str, "tools": list, "labels": dict, "agent_config": dict, "webhook_config": dict,
    "service_tier": str, "environment": (str, dict), "response_modalities": list,
}  # fmt: skip


@dataclass
class Run:
    """One interaction; its state follows from the clock."""

    id: str
    input: Any
    tokens: int
    seconds: float
    words: tuple[str, ...]
    cancelled: bool = False
    said: int = 0
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
        status = self.status  # asked for once: it changes with the time
        over = status == "completed"
        return {
            **known, "object": "interaction", "model": "gemini-x", "status": status,
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
        self.long = Stretch()(LONG)

    def pause(self) -> None:
        """Wait a moment for a run to go on; give up when the server has been shut down."""
        if self.over.wait(0.01):
            raise ConnectionAbortedError("the server was shut down")

    def create(self, body: Json) -> Run:
        """Make a run of a body that is in order."""
        parent = self.find(body["previous_interaction_id"]) if "previous_interaction_id" in body else None
        if parent is not None and parent.status != "completed":
            raise Refused(400, "failed_precondition")
        words = f"{body.get('system_instruction', '')} {json.dumps(body['input'])}".split()
        tokens = len(words) + (parent.tokens + 3 if parent else 0)
        return self.begin(body, tokens)

    def begin(self, body: Json, tokens: int) -> Run:
        """Begin a run, in the background or not."""
        asked = str(body["input"])
        long = self.long * (3 if len(asked) >= DETAILED else 1)
        seconds = 0.0 if not body.get("background") else long if "words" in asked else SHORT
        keeps = body.get("store") is not False
        stops = (body.get("generation_config") or {}).get("stop_sequences") or []
        words = tuple(itertools.takewhile(lambda word: not any(stop in word for stop in stops), WORDS))
        run = Run(f"int-{next(self.numbers)}" if keeps else "", body["input"], tokens, seconds, words)
        if keeps:
            self.runs[run.id] = run
        return run

    def find(self, wanted: str) -> Run:
        """The run of an id."""
        if wanted not in self.runs:
            raise Refused(404, "not_found", f"There is no interaction {wanted!r}.")
        return self.runs[wanted]

    def streams(self, body: Json) -> bool:
        """Whether a create is answered with a stream."""
        return bool(body.get("stream"))

    def cancel(self, run: Run) -> None:
        """Cancel a run."""
        if run.status != "in_progress":
            raise Refused(400, "failed_precondition")
        run.said, run.cancelled = run.done, True

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
            if run.cancelled and number >= run.said:
                break  # a later stream has the same events
            yield {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": word}}
        yield {"event_type": "step.stop", "index": 0}
        while run.status == "in_progress":
            self.pause()
        yield {"event_type": "interaction.completed", "interaction": run.body(steps=False)}

    def resume(self, run: Run, last: str | None) -> Iterator[bytes]:
        """The frames of a stored run, after the event with the id `last`."""
        named = [f"e{number}" for number in range(100)]
        if last is not None and last not in named:
            raise Refused(400, "invalid_request")
        first = 0 if last is None else named.index(last) + 1
        numbered = ({**event, "event_id": name} for name, event in zip(named, self.events(run), strict=False))
        return encode_all(itertools.islice(numbered, first, None))


def encode_all(events: Iterable[Json]) -> Iterator[bytes]:
    """The frames of events, and what ends a stream."""
    yield from (encode_event(event["event_type"], json.dumps(event)) for event in events)
    yield encode_event("done", "[DONE]")


def checked(service: Service, raw: bytes) -> Json:
    """The body of a create, if it is in order."""
    body = parse_object(raw)
    for name, value in body.items():
        if name not in FIELDS or not isinstance(value, FIELDS[name]):  # type: ignore[arg-type]
            raise Refused(400, "invalid_request", f"wrong: {name}")
    if ("model" in body) == ("agent" in body) or "input" not in body:
        raise Refused(400, "invalid_request", "one of model and agent, and input")
    level = body.get("generation_config", {}).get("thinking_level", "low")
    if not body["input"] or level not in ("low", "medium", "high"):
        raise Refused(400, "invalid_request", "an empty input, or an unknown level")
    if '"processing"' in json.dumps(body["input"]):
        raise Refused(400, "invalid_request", "no parts of a video")
    if body.keys() & {"agent", "tools", "agent_config", "webhook_config", "response_format"}:
        raise Refused(400, "invalid_request", "not offered")
    if not body["model"].startswith("gemini"):
        raise Refused(404, "not_found", "no such model")
    if body.get("background") and body.get("store") is False:
        raise Refused(400, "invalid_request", "store=true is required")
    return body


class Handler(AnsweringHandler):
    """Routes requests to a service."""

    service: Service

    def dispatch(self, data: bytes) -> Any:
        """Note the call and answer it."""
        self.service.log.append(f"{self.command} {self.path}")
        return self.route(self.parts, self.query, data)

    def route(self, parts: list[str], query: dict[str, str], data: bytes) -> Any:
        """Answer a call of this path, without its query."""
        service = self.service
        match self.command, parts:
            case "POST", ["v1beta", "interactions"]:
                body = checked(service, data)
                run = service.create(body)
                if not service.streams(body):
                    return run.body()
                return service.resume(run, None) if body.get("background") else encode_all(service.events(run))
            case "GET", ["v1beta", "interactions", wanted]:
                run = service.find(wanted)
                return (
                    service.resume(run, query.get("last_event_id"))
                    if query.get("stream") == "true"
                    else run.body()
                )
            case "DELETE", ["v1beta", "interactions", wanted]:
                service.delete(service.find(wanted))
                return {}
            case "POST", ["v1beta", "interactions", wanted, "cancel"]:
                run = service.find(wanted)
                service.cancel(run)
                return run.body()
        raise Refused(404, "not_found", "no such route")


@contextmanager
def serve_foreign(service: Service, handler: type[Handler] = Handler) -> Iterator[str]:
    """Serve it on loopback; gives its URL."""
    bound = type("Bound", (handler,), {"service": service})
    with listening(bound, service.over.set) as url:
        yield url
