"""Good but odd servers: no engine calls broken what the rule of a check accepts, and one fact counts once."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from harness.benches.gateway import GatewayOptions, judge_gateway
from harness.checks.gateway import CATALOGUE as GATEWAY_RULES
from harness.engine.events import CheckFinished, Result
from harness.engine.run import RunOptions, check_target
from harness.engine.search import openapi
from harness.engine.search.budget import Budget
from harness.engine.search.run import FuzzOptions, fuzz
from harness.engine.search.search_target import AnswerJudge
from harness.engine.targets import TargetOptions, embed_emulator, resolve_target
from harness.interactions.search import load_search
from harness.interactions.servers import SERVERS
from harness.outcome import Verdict
from harness.transport import ServerThread
from harness.wire import Chunk, Headers, Pause, Piece, PieceBody, Request, Response
from harness.wire.sse import Decoder
from tests.benches.gateway.inprocess import bench_through
from tests.engine.search.test_self import recorded
from tests.engine.wire_defects import CONTRACT
from tests.foreign.rows import vary

RPC = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED"}
FEW = Budget(histories=6, steps=12, laws=3, schema=2, coverage=False)


class OddService:
    """The emulator without its control API; a change of `answer` is what is odd about it."""

    def __init__(self) -> None:
        self.emulator = SERVERS.new_service(CONTRACT)
        self.clock = self.emulator.clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.emulator, name)

    def __call__(self, request: Request) -> Response:
        return show_page() if request.segments[0] == "__harness__" else self.answer(request)

    def answer(self, request: Request) -> Response:
        """The answer to a call."""
        return self.emulator(request)


def show_page() -> Response:
    """What a front says of a path that it does not know."""
    return Response.whole(404, Headers((("content-type", "text/plain"),)), b"404 page not found\n")


def read_body(response: Response) -> bytes:
    """The whole body."""
    return b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))


def front_error(status: int, message: str) -> dict[str, Any]:
    """An error as Google's front end writes it."""
    return {"error": {"code": status, "message": message, "status": RPC.get(status, "UNKNOWN")}}


def front(shape: Callable[[dict[str, Any]], Any] = lambda error: error) -> Callable[..., Response]:
    """A change of `answer`: all errors have the shape of Google's front end."""

    def answer(self: OddService, usual: Any, request: Request) -> Response:
        response = usual(request)
        if response.status < 400:
            return response
        message = json.loads(read_body(response))["error"]["message"]
        error = shape(front_error(response.status, message))
        return Response.json(response.status, json.dumps(error).encode())

    return answer


def know_interactions_only(self: OddService, usual: Any, request: Request) -> Response:
    """Answer a page to everything but `/v1beta/interactions`."""
    return usual(request) if request.segments[:2] == ("v1beta", "interactions") else show_page()


def write_nulls(self: OddService, usual: Any, request: Request) -> Response:
    """Write optional fields without a value as null."""
    response = usual(request)
    if response.status != 200 or response.headers.media_type() != "application/json":
        return response
    body = json.loads(read_body(response) or b"{}")
    if body.get("object") == "interaction":
        body = {**dict.fromkeys(("agent", "previous_interaction_id", "errors", "usage", "steps")), **body}
    return Response.json(200, json.dumps(body).encode())


def answer_400(self: OddService, usual: Any, request: Request) -> Response:
    """Answer a wrong key 400, as the live front end does."""
    response = usual(request)
    if response.status not in (401, 403):
        return response
    return Response.json(400, json.dumps(front_error(400, "API key not valid.")).encode())


def write_own_frames(self: OddService, usual: Any, request: Request) -> Response:
    """Write streams as a framework may: comments, CR LF, no `event:` lines, JSON on several lines."""
    return edit_stream(usual(request), lambda event: [b": waiting", b"retry:500", *split_data(event)], b"\r\n")


def split_data(event: dict[str, Any]) -> list[bytes]:
    """An event as `data:` lines without a space, one for each line of its JSON, which is ASCII."""
    return [b"data:" + line.encode() for line in json.dumps(event, indent=1).splitlines()]


def write_more(self: OddService, usual: Any, request: Request) -> Response:
    """Write unknown members and events, in JSON with spaces and escapes; the id is on a line of its own, too."""
    response = usual(request)
    if response.headers.media_type() == "application/json" and response.status == 200:
        body = {**json.loads(read_body(response) or b"{}"), "x_trace": "Zürich"}
        return Response.json(200, json.dumps(body, indent=2).encode())
    return edit_stream(response, add_progress)


def add_progress(event: dict[str, Any]) -> list[bytes]:
    """The lines of an event, that of a step after an event of a type that the API does not have."""
    more = [b"data: " + json.dumps({"event_type": "interaction.progress", "percent": 50}).encode(), b""]
    told = json.dumps({**event, "metadata": {"total_usage": {"total_tokens": 1}}}).encode()
    name = [b"id: " + event["event_id"].encode()] if "event_id" in event else []
    return [*(more if event["event_type"].startswith("step.") else []), *name, b"data: " + told]


def edit_stream(response: Response, edit: Callable[[dict[str, Any]], list[bytes]], end: bytes = b"\n") -> Response:
    """A stream whose events are written as other lines; whatever else a response is stays."""
    if response.headers.media_type() == "text/event-stream":
        response.body = PieceBody(_edit_pieces(response.body, edit, end), response.body.close)
    return response


def _edit_pieces(
    pieces: Iterable[Piece], edit: Callable[[dict[str, Any]], list[bytes]], end: bytes
) -> Iterator[Piece]:
    decoder = Decoder()
    for piece in pieces:
        for frame in decoder.each(piece.data) if isinstance(piece, Chunk) else ():
            lines = [b"data: [DONE]"] if frame.data == b"[DONE]" else edit(json.loads(frame.data))
            yield Chunk(end.join([*lines, b"", b""]))
        if not isinstance(piece, Chunk):
            yield piece


FEW_CALLS = {("POST", 2, "interactions"), ("GET", 3, "interactions"), ("DELETE", 3, "interactions")}
"""Methods, lengths of paths and collections."""


def offer_little(self: OddService, usual: Any, request: Request) -> Response:
    """Answer a page of a framework to all methods and routes but four; a DELETE returns no body."""
    if (request.method, len(request.segments), *request.segments[1:2]) not in FEW_CALLS:
        status = 404 if request.method in ("GET", "POST") else 501
        page = b"<!DOCTYPE HTML><title>No.</title>"
        return Response.whole(status, Headers((("content-type", "text/html"),)), page)
    response = usual(request)
    gone = request.method == "DELETE" and response.status == 200
    return Response.whole(200, Headers(()), b"") if gone else response


OWN_ID = re.compile(rb"v1_([A-Za-z0-9_-]+)")
OTHER_ID = re.compile(rb"ChA\.([A-Za-z0-9_-]+)~")


def give_other_ids(self: OddService, usual: Any, request: Request) -> Response:
    """Give ids of another form, with a dot and a tilde; those of the emulator are known inside alone."""
    inner = OTHER_ID.sub(rb"v1_\1", request.target.encode()).decode()
    response: Response = usual(replace(request, target=inner, body=OTHER_ID.sub(rb"v1_\1", request.body)))
    streamed = response.headers.media_type() == "text/event-stream"
    if streamed:
        response.body = PieceBody(_rename(response.body), response.body.close)
        return response
    headers = Headers(pair for pair in response.headers if pair[0].lower() != "content-length")
    return Response.whole(response.status, headers, OWN_ID.sub(rb"ChA.\1~", read_body(response)))


def _rename(pieces: Iterable[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        yield Chunk(OWN_ID.sub(rb"ChA.\1~", piece.data)) if isinstance(piece, Chunk) else piece


def send_crumbs(self: OddService, usual: Any, request: Request) -> Response:
    """Send every body in pieces of some bytes, which cut events and letters, with a pause before each tenth."""
    response: Response = usual(request)
    response.body = PieceBody(_cut_pieces(response.body), response.body.close)
    return response


def _cut_pieces(pieces: Iterable[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        data = piece.data if isinstance(piece, Chunk) else b""
        for number, at in enumerate(range(0, len(data), 5)):
            if number % 10 == 0:
                yield Pause(0.001)
            yield Chunk(data[at : at + 5])
        if not isinstance(piece, Chunk):
            yield piece


WrongKeyIs400 = vary(OddService, answer=answer_400)
OffersLittle = vary(OddService, answer=offer_little)
ODD: dict[str, Callable[[], OddService]] = {
    "no control API": OddService,
    "errors of the front end": vary(OddService, answer=front()),
    "the same in a list of one, as for streams": vary(OddService, answer=front(lambda error: [error])),
    "interactions only": vary(OddService, answer=know_interactions_only),
    "nulls": vary(OddService, answer=write_nulls),
    "a wrong key is 400": WrongKeyIs400,
    "streams of a framework": vary(OddService, answer=write_own_frames),
    "unknown members and events": vary(OddService, answer=write_more),
    "few routes, pages for the others, no body": OffersLittle,
    "ids of another form": vary(OddService, answer=give_other_ids),
    "slow, in pieces that cut events": vary(OddService, answer=send_crumbs),
}


def take(events: Any) -> list[Result]:
    """The results among the events of a run."""
    with closing(events) as told:
        return [event.result for event in told if isinstance(event, CheckFinished)]


def failures(results: Sequence[Result]) -> dict[str, list[str]]:
    """What failed or went wrong, with its findings."""
    bad = [result for result in results if result.verdict in (Verdict.FAIL, Verdict.ERROR)]
    return {
        result.id: [found.message for found in result.observation.findings] or [result.observation.reason]
        for result in bad
    }


def some(*names: str) -> list[Any]:
    """All of them; those without a name here are for thorough runs."""
    return [pytest.param(name, marks=() if name in names else pytest.mark.thorough) for name in ODD]


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_check_fails_no_good_server(name: str) -> None:
    """The whole catalogue has no failure, in an order of exercises that users of the suite may have."""
    service = ODD[name]()
    target = embed_emulator(SERVERS, TargetOptions(), lambda: service)
    results = take(check_target(target, SERVERS.load_catalogue()[::-1], RunOptions()))
    assert failures(results) == {}
    assert sum(result.verdict is Verdict.PASS for result in results) > 50


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", some("streams of a framework", "few routes, pages for the others, no body", "ids of another form")
)
def test_fuzz_fails_no_good_server(name: str) -> None:
    """Histories and laws break no MUST, and no code is told twice of one place."""
    target = embed_emulator(SERVERS, TargetOptions(), ODD[name])
    results = take(fuzz(target, load_search(), FuzzOptions(engines=("history", "laws"), budget=FEW, seed=7)))
    assert failures(results) == {}
    told = Counter(
        (found.stable_code, found.where.pointer)
        for result in results
        for found in result.observation.findings
        if found.rule == "err.shape"
    )
    assert max(told.values(), default=1) == 1


@pytest.mark.slow
def test_fuzz_accepts_what_the_rule_of_a_wrong_key_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 400 for a wrong key breaks nothing, as `auth.wrong` says, though the tool asks for 401 or 403."""
    monkeypatch.setattr(
        openapi, "find_families", lambda _, document, __: document.families[-1:]
    )  # one key for all
    with ServerThread(WrongKeyIs400()) as server:
        said = TargetOptions(api_key="harness-primary-key")
        target = resolve_target(SERVERS, server.url, said)
        results = take(fuzz(target, load_search(), FuzzOptions(engines=("schema",), budget=FEW, seed=7)))
    assert failures(results) == {}
    assert "auth.wrong" not in {result.rule.id for result in results}


PAGE = (404, "text/html", b"<h1>No.</h1>")
NO_CODE = (400, "application/json", b'{"error": {"message": "No."}}')


def test_an_error_is_held_against_the_api_only_if_it_wrote_it() -> None:
    """A page for another method is not, nor for a call that is not offered; the API has one handler for errors."""
    judge = AnswerJudge(SERVERS, load_search(), set())
    cancel, get = Request("POST", "/v1beta/interactions/i1/cancel"), Request("GET", "/v1beta/interactions/i1")

    def keys(request: Request, *answer: Any) -> list[str]:
        return [defect.key for defect in judge.judge(recorded(request, *answer), "")]

    assert keys(Request("TRACE", "/v1beta/interactions/i1"), *PAGE) == []
    assert keys(get, 501, "text/html", b"<h1>No.</h1>") == []
    assert keys(cancel, *PAGE) == []
    assert keys(cancel, *NO_CODE) == keys(get, *NO_CODE) == ["err.shape/types $.error"]
    assert keys(cancel, *PAGE) == ["err.shape"]


@pytest.mark.slow
@pytest.mark.parametrize("name", some(*[*ODD][6:]))  # whose streams and bodies are odd
def test_a_gateway_in_front_of_a_good_server_breaks_nothing(name: str) -> None:
    """A gateway that passes on what such an upstream returns has no failure."""
    bench, service = bench_through(), ODD[name]()
    service.emulator = bench.upstream.reference
    bench.upstream.reference = service  # type: ignore[assignment]
    results = take(judge_gateway(bench, GATEWAY_RULES, GatewayOptions()))
    assert failures(results) == {}
    assert sum(result.verdict is Verdict.PASS for result in results) > 20
