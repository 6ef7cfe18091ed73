"""Good but odd servers: no engine calls broken what the rule of a check accepts, and one fact counts once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest

from harness.benches.gateway import GatewayOptions, judge_gateway
from harness.checks.gateway import CATALOGUE as GATEWAY_RULES
from harness.engine.events import CheckFinished
from harness.engine.results import Result
from harness.engine.run import RunOptions, check_target
from harness.engine.search.budget import Budget
from harness.engine.search.openapi import engine
from harness.engine.search.run import FuzzOptions, fuzz
from harness.engine.targets import TargetOptions, embed_emulator, resolve_target
from harness.interactions import INTERACTIONS
from harness.outcome import Verdict
from harness.transport import ServerThread
from harness.wire import Chunk, Headers, Request, Response
from tests.benches.gateway.inprocess import bench_through
from tests.engine.wire_defects import CONTRACT
from tests.foreign.rows import vary

RPC = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED"}
FEW = Budget(histories=6, steps=12, laws=3, schema=2, coverage=False)


class OddService:
    """The emulator without its control API; a change of `answer` is what is odd about it."""

    def __init__(self) -> None:
        self.emulator = INTERACTIONS.new_service(CONTRACT, "")
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


WrongKeyIs400 = vary(OddService, answer=answer_400)
ODD: dict[str, Callable[[], OddService]] = {
    "no control API": OddService,
    "errors of the front end": vary(OddService, answer=front()),
    "the same in a list of one, as for streams": vary(OddService, answer=front(lambda error: [error])),
    "interactions only": vary(OddService, answer=know_interactions_only),
    "nulls": vary(OddService, answer=write_nulls),
    "a wrong key is 400": WrongKeyIs400,
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ODD.values(), ids=ODD)
@pytest.mark.parametrize("choose", [None, lambda left: left[-1]], ids=["check", "as the suite plays it"])
def test_check_fails_no_good_server(kind: Callable[[], OddService], choose: Any) -> None:
    """The whole catalogue has no failure, in the order of `check` and in another one."""
    service = kind()
    target = embed_emulator(INTERACTIONS, TargetOptions(), lambda: service)
    results = take(check_target(target, INTERACTIONS.load_catalogue(), RunOptions(choose=choose)))
    assert failures(results) == {}
    assert sum(result.verdict is Verdict.PASS for result in results) > 50


@pytest.mark.slow
@pytest.mark.parametrize("kind", ODD.values(), ids=ODD)
def test_fuzz_fails_no_good_server(kind: Callable[[], OddService]) -> None:
    """Histories and laws break no MUST, and no code is told twice of one place."""
    target = embed_emulator(INTERACTIONS, TargetOptions(), kind)
    results = take(fuzz(target, FuzzOptions(engines=("history", "laws"), budget=FEW, seed=7)))
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
    monkeypatch.setattr(engine, "find_families", lambda _, document, __: document.families[-1:])  # one key for all
    with ServerThread(WrongKeyIs400()) as server:
        said = TargetOptions(api_key="harness-primary-key")
        target = resolve_target(INTERACTIONS, server.url, said)
        results = take(fuzz(target, FuzzOptions(engines=("schema",), budget=FEW, seed=7)))
    assert failures(results) == {}
    assert "auth.wrong" not in {result.rule.id for result in results}


@pytest.mark.parametrize("kind", ODD.values(), ids=ODD)
def test_a_gateway_in_front_of_a_good_server_breaks_nothing(kind: Callable[[], OddService]) -> None:
    """A gateway that passes on what such an upstream returns has no failure."""
    bench, service = bench_through(), kind()
    service.emulator = bench.upstream.reference
    bench.upstream.reference = service  # type: ignore[assignment]
    results = take(judge_gateway(bench, GATEWAY_RULES, GatewayOptions()))
    assert failures(results) == {}
    assert sum(result.verdict is Verdict.PASS for result in results) > 20
