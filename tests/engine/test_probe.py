"""Probing a target: few requests, true statements, nothing left behind, and no judging of a dead target."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.checks.capabilities import CAPABILITIES
from harness.contract.requests import RequestBuilder
from harness.engine.events import Capabilities, CapabilityOrigin, parse_capabilities
from harness.engine.probe import MOST_REQUESTS, Prober, Probing
from harness.interactions.servers import SERVERS
from harness.outcome import Observation, TargetFault
from harness.transport import ServiceDriver
from harness.wire import At, Ending, Request, Response, Service
from harness.wire import How as EndedHow
from tests.engine.toys import ToyService, answer

ALL = frozenset(CAPABILITIES)
Rule = Callable[[Request, dict[str, Any]], bool]
OF_BACKGROUND = {"background-slow", "event-ids", "resume", "cancel"}
READ = {"store", "auth", "resume", "event-ids", "listing"}


def probed(service: Service, *said: str, target: RequestBuilder | None = None) -> Probing:
    """The result of probing a toy for every capability."""
    return Prober(
        SERVERS,
        ServiceDriver(service),
        target or RequestBuilder(),
        parse_capabilities(said, SERVERS.load_capabilities()),
        ALL,
    ).run()


def present(found: Capabilities) -> set[str]:
    """The names of the capabilities that are present."""
    return {item.name for item in found if item.present}


def refusing(service: Service, where: Rule, status: int = 400) -> Service:
    """The service, except that it refuses the requests that match."""

    def gate(request: Request) -> Response:
        body = json.loads(request.body or b"{}") if request.method == "POST" else {}
        if where(request, body):
            return answer({"error": {"code": "invalid_request", "message": "not here"}}, status)
        return service(request)

    return gate


def test_a_status_of_megabytes_is_quoted_in_part() -> None:
    """Each check that needs the capability repeats the note, in every report."""
    usual = ToyService()

    def swollen(request: Request) -> Response:
        big = json.loads(request.body or b"{}").get("background")
        return answer({"id": "i1", "status": "xy" * 1_500_000}) if big else usual(request)

    found = probed(swollen).capabilities
    background = found.get("background")
    assert background is not None
    assert 500 < len(background.note) <= 1_000
    assert len(Observation.untestable("xy" * 1_500_000).reason) <= 1_000


def test_finds_what_the_toy_can_do() -> None:
    """The probe reports what it saw: the toy stores, streams, thinks and runs in the background; no functions."""
    found = probed(ToyService()).capabilities
    assert {"store", "stream", "thoughts", "background"} <= present(found)
    assert not present(found) & {"functions", "search", "script", "event-ids", "webhooks", "two-keys"}
    assert len(found) == len(CAPABILITIES)


@pytest.mark.parametrize(
    "service",
    [
        ToyService(),
        ToyService(unasked=True),
        refusing(ToyService(), lambda _, body: bool(body) and body.get("stream") is not True),
        refusing(ToyService(), lambda _, body: "agent" in body or (bool(body) and body.get("store") is not False)),
    ],
    ids=["sound", "streams unasked", "only streams", "only unstored, no agents"],
)
def test_never_more_requests_than_promised(service: Service) -> None:
    """Reading again and deleting what it made is not counted."""
    found = probed(service)
    assert found.requests <= MOST_REQUESTS
    again = [exchange for exchange in found.trail[found.requests :] if exchange.request.method != "DELETE"]
    assert all(exchange.request.method == "GET" and not exchange.request.query for exchange in again)


def test_declared_capabilities_are_not_asked() -> None:
    found = probed(ToyService(), *(f"+{name}" for name in CAPABILITIES))
    assert found.requests == 2
    assert {item.how for item in found.capabilities if item.name != "script"} == {CapabilityOrigin.DECLARED}


@pytest.mark.parametrize(("status", "word"), [(401, "--api-key"), (403, "no permission"), (429, "quota")])
def test_refused_altogether(status: int, word: str) -> None:
    """If a target refuses a plain create, it is not judged."""
    with pytest.raises(TargetFault, match=word):
        probed(ToyService(refuse=status))


def test_unreachable() -> None:
    """If the target gives no answer, the probe fails after one request and says how the connection failed."""

    def dead(request: Request) -> Response:
        return Response.dead(Ending(how=EndedHow.REFUSED, at=At.BEFORE_HEADERS, detail="nobody listens"))

    with pytest.raises(TargetFault, match="nobody listens"):
        probed(dead)


@pytest.mark.parametrize(
    ("service", "said", "advice"),
    [
        (ToyService(page=True), "200 an HTML page: It works!", "(`--model`, "),
        (ToyService(refuse=404), "404 authentication: no", "(`--api-version`, "),
        (ToyService(refuse=500), "500 authentication: no", "Read the log of the server"),
        (ToyService(refuse=400), "400 authentication: no", "(`--model`, "),
    ],
)
def test_who_answers_no_interaction_is_not_judged(service: ToyService, said: str, advice: str) -> None:
    """If no form of create returns an interaction, the fault shows the status, the body, and what may be wrong."""
    with pytest.raises(TargetFault) as raised:
        probed(service)
    assert said in str(raised.value)
    assert advice in str(raised.value)


def test_who_claims_an_ability_is_judged_even_if_no_create_works() -> None:
    """With a declared capability, a target that cleanly refuses creates is judged; one that crashes is not."""
    found = probed(ToyService(refuse=400), "+agents")
    assert "agents" in found.capabilities
    for wrong in (ToyService(refuse=500), ToyService(page=True)):
        with pytest.raises(TargetFault):
            probed(wrong, "+agents")


NEEDS_STREAM: Rule = lambda _, body: bool(body) and body.get("stream") is not True  # noqa: E731
NEEDS_UNSTORED: Rule = lambda _, body: bool(body) and body.get("store") is not False  # noqa: E731


@pytest.mark.parametrize(
    ("service", "says", "note"),
    [
        (ToyService(), {}, ""),
        (ToyService(unasked=True), {"stream": False}, "all creates send stream=false"),
        (refusing(ToyService(), NEEDS_STREAM), {}, "only a create with stream=true returned an interaction"),
        (refusing(ToyService(), NEEDS_UNSTORED), {"store": False}, "checks that need storage are not tested"),
        (
            refusing(ToyService(), lambda r, b: NEEDS_STREAM(r, b) or NEEDS_UNSTORED(r, b)),
            {"store": False},
            "store=false and stream=true",
        ),
    ],
    ids=["plain", "streams unasked", "only streams", "only unstored", "only unstored streams"],
)
def test_the_form_that_a_target_takes_is_found(service: Service, says: dict[str, Any], note: str) -> None:
    """The form of create that a target accepts is found and used in all other creates, and a note explains it."""
    found = probed(service)
    assert dict(found.says) == says
    assert "stream" in found.capabilities
    assert "thoughts" in found.capabilities or "stream=true" in note
    assert note in " ".join(found.notes)
    assert bool(found.notes) is bool(note)


LATE = 5


class Late(ToyService):
    """A toy whose stored interactions answer 404 for the first few reads."""

    looks = 0

    def _one(self, request: Request) -> Response:
        if request.method == "GET":
            self.looks += 1
            if self.looks < LATE:
                return answer({"error": {"code": "not_found", "message": "not yet"}}, 404)
        return super()._one(request)


def test_a_brief_404_is_waited_out() -> None:
    """A temporary 404 after a create is waited out; a target that really keeps nothing lacks `store`."""
    assert "store" in probed(Late()).capabilities
    forgets = probed(ToyService(forgets=True))
    assert "store" not in forgets.capabilities


@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize(
    ("where", "names"),
    [
        (lambda request, _: request.segments[-1] == "webhooks", {"webhooks"}),
        (lambda request, _: request.segments[-1] == "environments", {"environments"}),
        (lambda _, body: "agent" in body, {"agents"}),
        (lambda _, body: "tools" in body, {"functions", "search"}),
        (lambda _, body: body.get("stream") is True, {"stream"}),
        (lambda _, body: body.get("background") is True, {"background", *OF_BACKGROUND, "agents"}),
        (lambda request, _: request.method == "GET" and "interactions" in request.segments, READ),
        (lambda request, _: request.segments[0] == "v1", {"v1"}),
    ],
    ids=["webhooks", "environments", "agents", "tools", "stream", "background", "reads", "v1"],
)
def test_a_crash_or_a_refusal_for_now_is_no_no(where: Rule, names: set[str], status: int) -> None:
    """After a crash or temporary refusal, the capability is assumed to be present, and the checks decide."""
    found = probed(refusing(ToyService(), where, status)).capabilities
    assert {item.name for item in found if item.how is CapabilityOrigin.ASSUMED} == names
    assert names <= present(found)


def test_events_under_another_label_are_streamed() -> None:
    """A stream with a wrong Content-Type still counts as streaming, so that the check of the header runs."""
    found = probed(ToyService(mislabels=True)).capabilities
    assert (item := found.get("stream")) is not None
    assert item.present
    assert item.note == "stream=true returned 200 application/json, and events"
