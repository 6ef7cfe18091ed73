"""A small server of the API on `http.server`: no emulator, no control API, real time.

It keeps every promise that its checks look at, and refuses what it does not offer (tools, agents, schemas). A row
of `rows.py` changes some of its methods: one defect, or one oddity that is no defect.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.busy_machine import Stretch
from tests.foreign.answering import AnsweringHandler, Json, Refused, encode_event, parse_object
from tests.foreign.listening import listening

WORDS = ["Hello", " there,", " all", " of", " you."]
OFFERED = frozenset({"model", "input", "stream", "background", "store", "previous_interaction_id"})


class Headed(dict[str, Any]):
    """A JSON object that is answered with header fields of its own."""

    def __init__(self, value: Json, **headers: str) -> None:
        super().__init__(value)
        self.headers = {name.replace("_", "-"): text for name, text in headers.items()}


def say(text: str) -> Json:
    """A step that says something."""
    return {"type": "model_output", "content": [{"type": "text", "text": text}]}


def stream_parts(first: Json, deltas: Iterable[Json] = ()) -> Iterator[Json]:
    """The events of a step that begins so, without its index."""
    yield {"step": first, "event_type": "step.start"}
    yield from ({"delta": delta, "event_type": "step.delta"} for delta in deltas)
    yield {"event_type": "step.stop"}


@dataclass
class Run:
    """One interaction. It began at `begun`, and settles `lasts` seconds later as `end` unless it is cancelled."""

    id: str
    body: Json
    lasts: float
    tokens: int
    begun: float = field(default_factory=time.monotonic)
    cancelled_at: float | None = None
    steps: list[Json] = field(default_factory=list)
    end: str = "completed"
    owner: str = ""
    """The key with which it was created."""

    @property
    def age(self) -> float:
        """Seconds that it ran."""
        return (self.cancelled_at or time.monotonic()) - self.begun

    @property
    def status(self) -> str:
        """Its status now."""
        if self.cancelled_at is not None:
            return "cancelled"
        return self.end if self.age >= self.lasts else "in_progress"


class ForeignService:
    """What the server answers; `lasts` is the length of a background run in seconds, `handler` writes it.

    Fields that `takes` names are allowed in a create, and have no effect. Changes may need what was `deleted`;
    what they remember themselves is `noted`.
    """

    lasts = 0.3
    takes: frozenset[str] = frozenset()
    handler: type[Handler]
    closed: threading.Event
    """It is set when the server ends."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.numbers = itertools.count(1)
        self.own = threading.local()
        self.stretch = Stretch()
        self.deleted: dict[str, Run] = {}
        self.noted: dict[str, Any] = {}

    @property
    def made(self) -> int:
        """The number of the run that this connection, and so this thread, created last."""
        return getattr(self.own, "made", 0)

    @property
    def key(self) -> str:
        """The key of the request that this thread answers."""
        return getattr(self.own, "key", "")

    def parent_of(self, body: Json) -> Run | None:
        """The interaction that a create continues, if it is still there."""
        return self.runs.get(str(body.get("previous_interaction_id")))

    # --- operations; each returns a JSON object, or a list of events to stream

    def create(self, body: Json) -> Any:
        """Create an interaction."""
        self.admit(body)
        parent = self.find(body["previous_interaction_id"]) if "previous_interaction_id" in body else None
        if parent is not None and parent.status == "in_progress":
            raise Refused(400, "failed_precondition", "The previous interaction is still in progress.")
        self.own.made = self.number(body)
        lasts = self.length_of(body) if body.get("background") else 0.0
        run = Run(f"i{self.made}", body, lasts, 4 + (parent.tokens + 4 if parent else 0), owner=self.key)
        run.steps = [say("".join(WORDS))]
        if body.get("store") is not False:
            self.runs[run.id] = run
        self.prepare(run)
        return self.events(run) if body.get("stream") else self.show(run)

    def number(self, body: Json) -> int:
        """The number in the id of the next run."""
        return next(self.numbers)

    def prepare(self, run: Run) -> None:
        """Change a run that was made, before anybody sees it: what it says, and how it ends."""

    def length_of(self, body: Json) -> float:
        """The seconds that a background run takes."""
        return self.stretch(self.lasts)

    def admit(self, body: Json) -> None:
        """Refuse a create that is wrong, or that asks for what is not offered."""
        wrong = sorted(body.keys() - OFFERED - self.takes)
        given = body.get("input")
        parts = given if isinstance(given, list) else [given]
        if wrong or "model" not in body or not given or not all(map(is_input, parts)):
            what = ", ".join(wrong) or "model, input"
            raise Refused(400, "invalid_request", f"Not offered, or missing: {what}.")
        kinds = {"stream": bool, "background": bool, "store": bool, "model": str, "previous_interaction_id": str}
        if any(name in body and not isinstance(body[name], kind) for name, kind in kinds.items()):
            raise Refused(400, "invalid_request", "A field has the wrong type.")
        if not body["model"].startswith("gemini-"):
            raise Refused(404, "model_not_found", "There is no such model.")
        if body.get("background") and body.get("store") is False:
            raise Refused(400, "invalid_request", "store=true is required for background interactions.")

    def get(self, run: Run, query: Json) -> Any:
        """Show an interaction, or stream it."""
        if query.get("stream") != "true":
            return self.show(run)
        events = list(self.events(run))
        names = [event.get("event_id") for _, event in events]
        after = query.get("last_event_id")
        if after is not None and after not in names:
            raise Refused(400, "invalid_request", "There is no such event.")
        return events[names.index(after) + 1 :] if after is not None else events

    def cancel(self, run: Run) -> Json:
        """Cancel a background run in progress."""
        if run.status != "in_progress":
            raise Refused(400, "failed_precondition", "Only a background run in progress can be cancelled.")
        run.cancelled_at = time.monotonic()
        return self.show(run)

    def delete(self, run: Run) -> Json:
        """Delete an interaction."""
        self.deleted[run.id] = run
        self.runs.pop(run.id, None)
        return {}

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Json:
        """Answer a call on another resource."""
        raise Refused(404, "not_found", "There is no such route.")

    def publish(self, path: str) -> Json:
        """Answer a GET of what anybody may read; `path` comes after `/.well-known/`."""
        raise Refused(404, "not_found", "There is no such route.")

    def upload(self, path: str, query: Json, headers: Json, data: bytes) -> Json:
        """Answer a request of an upload; `path` comes after the version."""
        raise Refused(404, "not_found", "There is no such route.")

    # --- what an interaction looks like

    def show(self, run: Run) -> Json:
        """An interaction as JSON."""
        status = run.status  # asked for once: it changes with the time
        body: Json = {"id": run.id if run.body.get("store") is not False else "", "object": "interaction",
                      "status": status, "model": run.body["model"], "created": "2026-11-20T10:00:00Z",
                      "updated": f"2026-11-20T10:00:0{int(status == run.end)}Z"}  # fmt: skip
        if status != "in_progress":
            body["usage"] = self.usage(run)
            body["steps"] = run.steps
        return body

    def usage(self, run: Run) -> Json:
        """The token counts."""
        return {"total_input_tokens": run.tokens, "total_output_tokens": 4, "total_tokens": run.tokens + 4}

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        """The events of a run, each with the age of the run at which it comes."""
        identity = run.id if run.body.get("store") is not False else ""
        told = {"id": identity, "object": "interaction", "model": run.body["model"]}
        events: list[Json] = [
            {"interaction": {**told, "status": "in_progress"}, "event_type": "interaction.created"},
            {"interaction_id": identity, "status": "in_progress", "event_type": "interaction.status_update"},
        ]
        for index, step in enumerate(run.steps):
            events += ({"index": index, **event} for event in self.stream_step(run, step))
        for number, event in enumerate(events):
            yield run.lasts * number / len(events), {**event, "event_id": f"{run.id}-{number}"}
        yield run.lasts, self.last_event(run, told)

    def stream_step(self, run: Run, step: Json) -> Iterator[Json]:
        """The events of a step, without its index."""
        if step["type"] == "model_output":
            texts = (piece for part in step["content"] for piece in self.pieces(run, part["text"]))
            return stream_parts({"type": "model_output"}, [{"type": "text", "text": text} for text in texts])
        if step["type"] == "thought":
            deltas = [{"type": "thought_summary", "content": part} for part in step.get("summary", ())]
            signed = [{"type": "thought_signature", "signature": step["signature"]}] if "signature" in step else []
            return stream_parts({"type": "thought"}, [*deltas, *signed])
        if step["type"] == "function_call":
            delta = {"type": "arguments_delta", "arguments": self.tell_arguments(step)}
            return stream_parts({**step, "arguments": {}}, [delta])
        return stream_parts(step)

    def pieces(self, run: Run, text: str) -> list[str]:
        """The text of a step in the pieces in which it is streamed."""
        return re.findall(r"\s*\S+|\s+$", text)

    def tell_arguments(self, call: Json) -> str:
        """The arguments of a call, as its stream has them."""
        return json.dumps(call["arguments"], ensure_ascii=False)

    def last_event(self, run: Run, told: Json) -> Json:
        """The event that ends a stream."""
        end = {**told, "status": run.end, "usage": self.usage(run)}
        return {"interaction": end, "event_id": f"{run.id}-end", "event_type": "interaction.completed"}

    def encode(self, event: Json) -> bytes:
        """An event as a frame."""
        return encode_event(event["event_type"], json.dumps(event))

    def closing(self) -> bytes:
        """What ends a stream."""
        return encode_event("done", "[DONE]")

    def find(self, identity: str) -> Run:
        """The interaction with an id."""
        if identity not in self.runs:
            raise Refused(404, "not_found", "There is no such interaction.")
        return self.runs[identity]


class Handler(AnsweringHandler):
    """Routes requests to the operations of a service, and writes what it answers."""

    service: ForeignService
    closed = threading.Event()

    def dispatch(self, data: bytes) -> Any:
        """Call the operation."""
        query = self.query
        self.service.own.key = self.headers.get("x-goog-api-key", "")
        version, _, path = urlsplit(self.path).path.strip("/").partition("/")
        if version == "upload":
            return self.service.upload(path.partition("/")[2], query, dict(self.headers.items()), data)
        parts = path.split("/")
        if version == ".well-known":
            return self.service.publish(path)
        if version in ("v1", "v1beta") and parts[0] != "interactions":
            return self.service.neighbour(self.command, parts, data, query)
        if version not in ("v1", "v1beta") or len(parts) > 3:
            raise Refused(404, "not_found", "There is no such route.")
        if (self.command, len(parts)) == ("POST", 1):
            return self.service.create(parse_object(data))
        if (self.command, len(parts)) == ("GET", 2):
            return self.service.get(self.service.find(parts[1]), query)
        if (self.command, len(parts)) == ("DELETE", 2):
            return self.service.delete(self.service.find(parts[1]))
        if (self.command, parts[2:]) == ("POST", ["cancel"]):
            return self.service.cancel(self.service.find(parts[1]))
        raise Refused(404, "not_found", "There is no such route.")

    def stream(self, events: Iterator[tuple[float, Json]]) -> None:
        """Write events as they are due, and the end."""
        super().stream(self.encode_due(events))

    def encode_due(self, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
        """The frames of events, each when it is due, and what ends the stream."""
        for due, event in events:
            run = self.service.runs.get(str(event.get("event_id", "")).partition("-")[0])
            if run is not None:
                event = wait_for(due, run, event, self.closed)
            yield self.service.encode(event)
            if event.get("interaction", {}).get("status") == "cancelled":
                break
        yield self.service.closing()


def wait_for(due: float, run: Run, event: Json, closed: threading.Event) -> Json:
    """Wait until an event of a run is due; return it, or what ends the stream if the run is cancelled before.

    Raises ConnectionError once the server is `closed`: no thread of a run without an end may outlive its test.
    """
    while run.cancelled_at is None and run.age < due:
        if closed.wait(min(0.02, due - run.age)):
            raise ConnectionAbortedError
    if run.cancelled_at is None or run.age >= due:
        return event
    end = {"id": run.id, "status": "cancelled"}
    return {"interaction": end, "event_id": f"{run.id}-end", "event_type": "interaction.completed"}


def as_list(value: Any) -> list[Any]:
    """A list as it is, and nothing of all else."""
    return value if isinstance(value, list) else []


def is_input(part: Any) -> bool:
    """Whether something is text, a step or a content of text; nothing that has to be processed."""
    if isinstance(part, dict):
        if any(isinstance(one, dict) and "processing" in one for one in [part, *as_list(part.get("content"))]):
            return False
        return part.get("type") in ("text", "user_input", "model_output", "thought")
    return isinstance(part, str)


ForeignService.handler = Handler


class Keyed(Handler):
    """Asks for one of its keys, but not where it is open."""

    keys: tuple[str | None, ...] = ("k",)
    open: tuple[str, ...] = ()

    def dispatch(self, data: bytes) -> Any:
        if self.command not in self.open and self.headers.get("x-goog-api-key") not in self.keys:
            raise Refused(401, "authentication", "API key missing or not valid.")
        return super().dispatch(data)


@contextmanager
def serving(service: ForeignService) -> Iterator[str]:
    """Serve on loopback; yields the URL."""
    closed = service.closed = threading.Event()
    handler = type("ServiceHandler", (service.handler,), {"service": service, "closed": closed})
    with listening(handler, closed.set) as url:
        yield url
