"""Small servers written without our code: a correct one that offers little, and ones with defects.

Each defect is a change of one method. They speak plain `http.server` and know nothing of the
emulator.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.foreign.answering import AnsweringHandler, Json
from tests.foreign.listening import listening
from tests.foreign.rows import vary

Answer = tuple[int, Json]

KNOWN = {
    "model", "input", "store", "stream", "background", "previous_interaction_id", "tools", "generation_config",
    "system_instruction", "response_format", "agent",
}  # fmt: skip


def refuse(status: int, code: str, message: str) -> Answer:
    """An error in the API's form."""
    return status, {"error": {"code": code, "message": message}}


class Plain:
    """Creates, reads, continues and deletes; refuses streams, background runs, tools and everything else."""

    handler: type[Handler]
    hangs: frozenset[str] = frozenset()
    """The methods of requests that may hang, and hold up no other one."""

    def __init__(self) -> None:
        self.kept: dict[str, Json] = {}
        self.gone: set[str] = set()
        self.numbers = itertools.count(1)
        self.released = threading.Event()

    def answer(self, method: str, path: str, query: str, body: bytes) -> Answer:
        """The answer to one request."""
        _, _, collection, *rest = (*path.split("/"), "", "")[:5]
        identity = rest[0] if rest else ""
        if collection != "interactions" or (len(rest) > 1 and rest[1]):
            return refuse(404, "not_found", "There is no such route.")
        if method == "POST" and not identity:
            return self.create(body)
        if "stream=true" in query:
            return refuse(400, "invalid_request", "Streams are not offered.")
        if method == "GET":
            return self.get(identity)
        if method == "DELETE":
            return self.delete(identity)
        return refuse(405, "invalid_request", "There is no such method.")

    def create(self, body: bytes) -> Answer:
        """POST /interactions."""
        try:
            asked = json.loads(body)
        except ValueError:
            return refuse(400, "invalid_request", "The body is no JSON.")
        why = self.why_refused(asked)
        if why:
            return refuse(400, "invalid_request", why)
        if not asked["model"].startswith("gemini-3"):
            return refuse(404, "not_found", "There is no such model.")
        parent = asked.get("previous_interaction_id")
        if parent is not None and parent not in self.kept:
            return refuse(404, "not_found", "There is no such interaction.")
        return 200, self.make(asked)

    def why_refused(self, asked: Any) -> str:
        """Why a create is wrong, or not offered."""
        if not isinstance(asked, dict) or not set(asked) <= KNOWN:
            return "The body is no create."
        offered = {"model": str, "input": str, "store": bool, "previous_interaction_id": str}
        for name, value in asked.items():
            if name in ("stream", "background") and value is False:
                continue
            if name not in offered or not isinstance(value, offered[name]) or value == "":
                return f"{name} is wrong, or not offered."
        return "" if {"model", "input"} <= set(asked) else "model and input are missing."

    def make(self, asked: Json) -> Json:
        """A completed interaction."""
        number = next(self.numbers)
        text = {"type": "text", "text": f"Answer {number}."}
        made: Json = {
            "id": f"v1_foreign{number:04}",
            "object": "interaction",
            "status": "completed",
            "model": asked["model"],
            "created": "2026-01-01T00:00:00Z",
            "updated": "2026-01-01T00:00:01Z",
            "steps": [{"type": "model_output", "content": [text]}],
            "usage": {"total_input_tokens": 3, "total_output_tokens": 4, "total_tokens": 7},
        }
        if asked.get("previous_interaction_id"):
            made["previous_interaction_id"] = asked["previous_interaction_id"]
        if asked.get("store", True):
            self.kept[made["id"]] = made
        return made

    def get(self, identity: str) -> Answer:
        """GET /interactions/{id}."""
        if identity in self.kept:
            return 200, self.kept[identity]
        return refuse(404, "not_found", "There is no such interaction.")

    def delete(self, identity: str) -> Answer:
        """DELETE /interactions/{id}."""
        if self.kept.pop(identity, None) is None:
            return refuse(404, "not_found", "There is no such interaction.")
        self.gone.add(identity)
        return 200, {}


WRONG: Json = {"status": "done", "created": "yesterday", "updated": 5, "usage": [], "steps": {}}
WRONG |= {"object": "thing", "model": 7}


class TwentyDefects(Plain):
    """Wrong in twenty ways at once, seven of them in the body of a create and again in that of a get."""

    def make(self, asked: Json) -> Json:
        made = super().make(asked)
        made.update(WRONG)
        return made

    def get(self, identity: str) -> Answer:
        status, body = super().get(identity)
        if status == 404:
            return 404, {"message": "gone"}
        return status, {**body, "id": "v1_other"}

    def delete(self, identity: str) -> Answer:
        status, body = super().delete(identity)
        return (500, {"error": "x"}) if status == 404 else (status, body)

    def why_refused(self, asked: Any) -> str:
        return "" if isinstance(asked, dict) and "model" in asked else "The body is no create."


class Handler(AnsweringHandler):
    """Answers one request after the other, as its service does; hanging ones hold up nobody."""

    service: Plain
    lock: threading.Lock

    def handle_any(self) -> None:
        """Answer any request; what the service raises is its crash."""
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            with threading.Lock() if self.command in self.service.hangs else self.lock:
                answer = self.service.answer(self.command, path, query, body)
        except PermissionError as wrong:
            answer = refuse(403, "permission_denied", str(wrong))
        except Exception as wrong:
            answer = refuse(500, "internal", f"It failed: {type(wrong).__name__}")
        self.reply(*answer)

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = do_OPTIONS = do_HEAD = handle_any


def drip(self: Any, usual: Any, status: int, value: Any, *headers: Any) -> None:
    """A response to a cancel whose body never ends."""
    if not self.path.endswith("/cancel"):
        usual(status, value, *headers)
        return
    data = json.dumps(value).encode()
    self.send_response(status)
    self.send_header("content-type", "application/json")
    self.send_header("content-length", str(len(data) + 1000))
    self.end_headers()
    self.wfile.write(data)
    while not self.service.released.wait(0.05):
        self.wfile.write(b" ")


def crash(when: Any) -> Any:
    """A change of `make`: it fails on some creates, which it has kept."""

    def make(self: Plain, usual: Any, asked: Json) -> Json:
        made = usual(asked)
        if when(made):
            raise RuntimeError("the pool is empty")
        return made

    return make


def wait_for_deleted(seconds: float) -> Any:
    """A change of `get`: what was deleted takes its time."""

    def get(self: Plain, usual: Any, identity: str) -> Answer:
        if identity in self.gone:
            self.released.wait(seconds)
        return usual(identity)

    return get


def hang_on_cancel(self: Plain, usual: Any, method: str, path: str, *rest: Any) -> Answer:
    """Never answer a cancel."""
    if path.endswith("/cancel"):
        self.released.wait(120)
    return usual(method, path, *rest)


def fail_on_field(self: Plain, usual: Any, asked: Any) -> str:
    """Fail if a create has the field `store`."""
    if isinstance(asked, dict) and "store" in asked:
        raise RuntimeError("no such column")
    return usual(asked)


def refuse_later(self: Plain, usual: Any, asked: Json) -> Json:
    """Refuse every create but the first few: enough for the probe, which found it able."""
    if len(self.kept) + len(self.gone) >= 2:
        raise PermissionError("The project has no billing account.")
    return usual(asked)


Plain.handler = Handler
HangsOnDeleted = vary(Plain, hangs={"GET"}, get=wait_for_deleted(120))
# Correct: it takes a quarter of a second to say that something was deleted.
Slow = vary(Plain, hangs={"GET"}, get=wait_for_deleted(0.25))
HangsOnCancel = vary(Plain, hangs={"GET", "POST", "DELETE"}, answer=hang_on_cancel)
DripsOnCancel = vary(Plain, handler=vary(Handler, reply=drip))
CrashesOnField = vary(Plain, why_refused=fail_on_field)
CrashesOnChain = vary(Plain, make=crash(lambda made: "previous_interaction_id" in made))
EveryThird = vary(Plain, make=crash(lambda made: int(made["id"][-4:]) % 3 == 0))
Once = vary(Plain, make=crash(lambda made: made["id"].endswith("0020")))
RefusesLater = vary(Plain, make=refuse_later)


@contextmanager
def serving(service: Plain) -> Iterator[str]:
    """The root URL of a service, for as long as the block lasts."""
    bound = type("Bound", (service.handler,), {"service": service, "lock": threading.Lock()})
    with listening(bound, service.released.set) as url:
        yield url
