"""A toy API and a toy catalogue, small enough to see at once what a run should report about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.contract.requests import RequestBuilder
from harness.engine.events import TargetInfo
from harness.engine.targets import ServerTarget
from harness.interactions.servers import SERVERS
from harness.kit.check import Check, Exercise, Finish, Judge, Open, Read, Send, Steps, exercise
from harness.outcome import Basis, Finding, HarnessFault, Level, Rule, Source, Unmet
from harness.transport import ServiceDriver
from harness.wire import COMPLETE, Chunk, Chunked, Driver, Exchange, Headers, PieceBody, Request, Response

JSON = Headers((("content-type", "application/json"),))
SSE = Headers((("content-type", "text/event-stream"),))
KEY = "toy-secret-key"


@dataclass
class ToyService:
    """Creates, gets, cancels and deletes interactions; each flag is a defect or a missing capability."""

    refuse: int = 0
    page: bool = False
    forgets: bool = False
    undeletable: bool = False
    streams: bool = True
    unasked: bool = False
    mislabels: bool = False
    status: str = "completed"
    announces: list[str] | None = None
    stored: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    made: int = 0

    def __call__(self, request: Request) -> Response:
        self.log.append(f"{request.method} {request.target}")
        if self.page:
            return Response.whole(200, Headers((("content-type", "text/html"),)), b"<html>It works!</html>")
        if self.refuse:
            return answer({"error": {"code": "authentication", "message": "no"}}, self.refuse)
        if request.segments[0] == "__harness__":
            return self._control()
        if request.method == "POST":
            return self._post(request)
        return self._one(request)

    def _control(self) -> Response:
        if self.announces is None:
            return answer({"error": {"code": "not_found", "message": "no"}}, 404)
        return answer({"harness": "emulator", "capabilities": self.announces})

    def _post(self, request: Request) -> Response:
        if request.segments[-1] == "cancel":
            return answer({"id": request.segments[-2], "status": "cancelled"})
        if request.segments[-1] != "interactions":
            return answer({"error": {"code": "not_found", "message": "no"}}, 404)
        self.made += 1
        found = f"i{self.made}"
        body = json.loads(request.body or b"{}")
        status = "in_progress" if body.get("background") else self.status
        if not self.forgets:
            self.stored[found] = status
        interaction = {"id": found, "status": status, "steps": [{"type": "thought"}]}
        if not (body.get("stream", self.unasked) and self.streams):
            return answer(interaction)
        return stream(interaction, JSON if self.mislabels else SSE)

    def _one(self, request: Request) -> Response:
        found = request.segments[-1]
        if found not in self.stored:
            return answer({"error": {"code": "not_found", "message": f"no {found}"}}, 404)
        if request.method == "DELETE":
            if self.undeletable:
                return answer({"error": {"code": "failed_precondition", "message": "no"}}, 400)
            del self.stored[found]
            return answer({})
        interaction = {"id": found, "status": self.stored[found]}
        return stream(interaction) if request.parameter("stream") == "true" else answer(interaction)


def answer(value: Any, status: int = 200) -> Response:
    """A JSON response."""
    return Response.whole(status, JSON, json.dumps(value).encode())


def stream(interaction: dict[str, Any], label: Headers = SSE) -> Response:
    """An event stream of two events: created, then completed."""
    events = [
        ("interaction.created", {**interaction, "status": "in_progress"}),
        ("interaction.completed", interaction),
    ]
    chunks = [
        Chunk(f"event: {n}\ndata: {json.dumps({'interaction': i, 'event_type': n})}\n\n".encode())
        for n, i in events
    ]
    return Response(200, label, Chunked(), PieceBody((*chunks, COMPLETE)))


def toy_target(service: ToyService, *, throwaway: bool = False, **said: Any) -> ServerTarget:
    """A resolved target whose drivers all reach one toy service."""

    def connect(session: str = "") -> Driver:
        return ServiceDriver(service)

    info = TargetInfo(
        name="toy",
        url="http://toy.invalid",
        version="v1beta",
        model="m",
        agent="a",
        secrets={"GEMINI_API_KEY": KEY},
    )
    return ServerTarget(
        api=SERVERS, info=info, target=RequestBuilder(key=KEY, **said), connect=connect, throwaway=throwaway
    )


def rule(rule_id: str, level: Level = Level.MUST, basis: Basis = Basis.DOCUMENTED) -> Rule:
    """A rule of the toy contract."""
    return Rule(
        id=rule_id,
        level=level,
        statement=f"{rule_id} holds",
        breaks="toys break",
        source=Source(basis, "Toy manual", "Chapter 1", "https://toy.invalid/manual"),
    )


def check(rule_id: str, played: Exercise, judge: Judge, **kwargs: Any) -> Check:
    """A check of the toy catalogue; `level` and `basis` make its rule."""
    made = rule(rule_id, kwargs.pop("level", Level.MUST), kwargs.pop("basis", Basis.DOCUMENTED))
    wants = tuple(judge.__code__.co_varnames[: judge.__code__.co_argcount])  # type: ignore[attr-defined]
    details: dict[str, Any] = {"title": f"toy {rule_id}", "profile": "core", **kwargs}
    details["requires"] = frozenset(details.get("requires", ()))
    return Check(rule=made, exercise=played, judge=judge, wants=wants, **details)


@exercise(requests=2, interactions=1)
def create_and_get(t: RequestBuilder) -> Steps:
    """POST, then GET of what was created."""
    created = yield Send(t.create(input="hi"))
    found = _id(created)
    got = yield Send(t.get(found))
    return {"created": created, "got": got}


@exercise(requests=1, interactions=1)
def open_stream(t: RequestBuilder) -> Steps:
    """POST as a stream, one event read, then the rest."""
    opened = yield Open(t.create(input="hi", stream=True))
    first = yield Read(opened, 1)
    finished = yield Finish(opened)
    return {"first": len(first), "streamed": finished}


@exercise(requests=1, interactions=1)
def leave_open(t: RequestBuilder) -> Steps:
    """Opens a stream and returns without closing it."""
    yield Open(t.create(input="hi", stream=True))
    return {}


@exercise(requests=1, interactions=0)
def raises(t: RequestBuilder) -> Steps:
    """An exercise with a bug."""
    yield Send(t.get("x"))
    raise KeyError("a bug")


@exercise(requests=1, interactions=0)
def unmet(t: RequestBuilder) -> Steps:
    """An exercise whose prerequisite is not met."""
    yield Send(t.get("x"))
    raise Unmet("the target has no x")


def _id(exchange: Exchange) -> str:
    try:
        return str(json.loads(exchange.body)["id"])
    except (ValueError, KeyError, TypeError):
        raise Unmet("the create gave no id") from None


def answers_200(created: Exchange) -> Iterator[Finding]:
    """The create was accepted."""
    if created.status != 200:
        yield Finding("create.ok", "the create was refused", "200", str(created.status))


def got_200(got: Exchange) -> Iterator[Finding]:
    """The created interaction can be read."""
    if got.status != 200:
        yield Finding("get.ok", "the GET was refused", "200", str(got.status))


def says_completed(got: Exchange) -> Iterator[Finding]:
    """Report a status of `completed`: the check is broken unless the toy's status is odd."""
    if json.loads(got.body).get("status") == "completed":
        yield Finding("get.odd", "it is completed", actual=f"status completed for {KEY}")


def streams_events(streamed: Exchange, first: int) -> Iterator[Finding]:
    """At least one event came."""
    if first != 1 or streamed.headers.media_type() != "text/event-stream":
        yield Finding("stream.any", "no event came")


def nothing() -> tuple[Finding, ...]:
    """Always met."""
    return ()


def buggy(got: Exchange) -> tuple[Finding, ...]:
    """A judge with a bug."""
    raise HarnessFault("the judge fell over")


CREATE = check("create.ok", create_and_get, answers_200)
GET = check("get.ok", create_and_get, got_200, requires={"store"})
ODD = check("get.odd", create_and_get, says_completed, requires={"store"})
SHOULD = check("get.should", create_and_get, says_completed, level=Level.SHOULD, requires={"store"})
STREAM = check("stream.any", open_stream, streams_events, profile="streaming", requires={"stream"})
BUGGY = check("get.buggy", create_and_get, buggy, requires={"store"})
RAISES = check("rob.raises", raises, nothing)
UNMET = check("rob.unmet", unmet, nothing)
LEFT_OPEN = check("rob.open", leave_open, nothing)

CATALOGUE = (CREATE, GET, STREAM)
"""Checks that a toy without defects passes."""
