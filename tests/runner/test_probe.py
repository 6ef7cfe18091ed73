"""Claims about probing: few requests, honest words, nothing left behind, and no judging of a dead target."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.checks import CAPABILITIES, Target
from harness.outcome import TargetFault
from harness.runner.capabilities import Capabilities, How, parse_capabilities
from harness.runner.probe import MOST_REQUESTS, Probing, probe
from harness.transport import ServiceDriver
from harness.wire import At, Ending, Request, Response, Service
from harness.wire import How as EndedHow
from tests.runner.toys import ToyService, answer

ALL = frozenset(CAPABILITIES)
Rule = Callable[[Request, dict[str, Any]], bool]


def probed(service: Service, *said: str, target: Target | None = None) -> Probing:
    """Everything asked of a toy."""
    return probe(ServiceDriver(service), target or Target(), parse_capabilities(said), ALL)


def present(found: Capabilities) -> set[str]:
    """The names of what is there."""
    return {item.name for item in found if item.present}


def refusing(service: Service, where: Rule, status: int = 400) -> Service:
    """The service, but for the requests of one kind, which it refuses."""

    def gate(request: Request) -> Response:
        body = json.loads(request.body or b"{}") if request.method == "POST" else {}
        if where(request, body):
            return answer({"error": {"code": "invalid_request", "message": "not here"}}, status)
        return service(request)

    return gate


def test_finds_what_the_toy_can_do() -> None:
    """What was seen decides: the toy stores, streams, thinks and runs in the background, and calls no function."""
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
    """All questions together stay within the bound, and the count is true."""
    sent = []

    def counted(request: Request) -> Response:
        sent.append(request.method)
        return service(request)

    found = probed(counted)
    assert found.requests == len([method for method in sent if method != "DELETE"]) <= MOST_REQUESTS


def test_leaves_nothing_behind() -> None:
    """What a probe created is deleted."""
    service = ToyService()
    probed(service)
    assert service.stored == {}


def test_declared_capabilities_are_not_asked() -> None:
    """The user's word skips the question and stands."""
    found = probed(ToyService(), *(f"+{name}" for name in CAPABILITIES))
    assert found.requests == 2
    assert {item.how for item in found.capabilities if item.name != "script"} == {How.DECLARED}


def test_announced_capabilities_are_taken() -> None:
    """A control API's list answers for the probes."""
    found = probed(ToyService(announces=["stream", "continuation"]))
    assert found.requests == 2
    assert "continuation" in found.capabilities
    assert "search" not in found.capabilities
    assert (item := found.capabilities.get("stream")) is not None
    assert item.how is How.ANNOUNCED


def test_a_second_key_is_a_declaration() -> None:
    """`two-keys` is present exactly when another key was given."""
    assert "two-keys" in probed(ToyService(), target=Target(other_key="k2")).capabilities


@pytest.mark.parametrize(("status", "word"), [(401, "unauthorised"), (403, "may not"), (429, "quota")])
def test_refused_altogether(status: int, word: str) -> None:
    """A target that refuses a plain create is not judged."""
    with pytest.raises(TargetFault, match=word):
        probed(ToyService(refuse=status))


def test_unreachable() -> None:
    """No answer at all is a fault that says how it failed, after one request."""

    def dead(request: Request) -> Response:
        return Response.dead(Ending(how=EndedHow.REFUSED, at=At.BEFORE_HEADERS, detail="nobody listens"))

    with pytest.raises(TargetFault, match="nobody listens"):
        probed(dead)


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (ToyService(page=True), "200 <html>It works!</html>"),
        (ToyService(refuse=404), "404 authentication: no"),
        (ToyService(refuse=500), "500 authentication: no"),
        (ToyService(refuse=400), "400 authentication: no"),
    ],
)
def test_who_answers_no_interaction_is_not_judged(service: ToyService, said: str) -> None:
    """However a create is put: the fault has the status, the target's own words, and what may be wrong."""
    with pytest.raises(TargetFault) as raised:
        probed(service)
    assert said in str(raised.value)
    assert "--api-version" in str(raised.value)
    assert "--model" in str(raised.value)


def test_who_claims_an_ability_is_judged_even_if_no_create_works() -> None:
    """A refusal in this API's own words may be about the model alone; a crash or a web page is not."""
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
        (ToyService(unasked=True), {"stream": False}, "creates say stream=false"),
        (refusing(ToyService(), NEEDS_STREAM), {}, "only answers creates with stream=true"),
        (refusing(ToyService(), NEEDS_UNSTORED), {"store": False}, "creates say that"),
        (
            refusing(ToyService(), lambda r, b: NEEDS_STREAM(r, b) or NEEDS_UNSTORED(r, b)),
            {"store": False},
            "store=false and stream=true",
        ),
    ],
    ids=["plain", "streams unasked", "only streams", "only unstored", "only unstored streams"],
)
def test_the_form_that_a_target_takes_is_found(service: Service, says: dict[str, Any], note: str) -> None:
    """What it streams is seen, all other creates say what it takes, and the reader is told why."""
    found = probed(service)
    assert dict(found.says) == says
    assert "stream" in found.capabilities
    assert "thoughts" in found.capabilities or "stream=true" in note
    assert note in " ".join(found.notes)
    assert bool(found.notes) is bool(note)


LATE = 5


class Late(ToyService):
    """What it stores can be found only after a few looks."""

    looks = 0

    def _one(self, request: Request) -> Response:
        if request.method == "GET":
            self.looks += 1
            if self.looks < LATE:
                return answer({"error": {"code": "not_found", "message": "not yet"}}, 404)
        return super()._one(request)


def test_a_brief_404_is_waited_out() -> None:
    """What was created and cannot be read at once is looked for again; a target that forgets is believed."""
    assert "store" in probed(Late()).capabilities
    forgets = probed(ToyService(forgets=True))
    assert "store" not in forgets.capabilities


def test_background_without_retrieval_is_told_once() -> None:
    """Runs whose result nobody can read are no ability; one note says so."""
    found = probed(ToyService(forgets=True))
    assert not present(found.capabilities) & {"background", "background-slow", "event-ids"}
    assert [note for note in found.notes if "nobody can read" in note] == list(found.notes)


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize(
    ("where", "names"),
    [
        (lambda request, _: request.segments[-1] == "webhooks", {"webhooks"}),
        (lambda request, _: request.segments[-1] == "environments", {"environments"}),
        (lambda _, body: "agent" in body, {"agents"}),
        (lambda _, body: "tools" in body, {"functions", "search"}),
        (lambda _, body: body.get("stream") is True, {"stream"}),
        (lambda _, body: body.get("background") is True, {"background", "background-slow", "event-ids", "agents"}),
        (lambda request, _: request.method == "GET" and "interactions" in request.segments, {"store", "auth"}),
        (lambda request, _: request.segments[0] == "v1", {"v1"}),
    ],
    ids=["webhooks", "environments", "agents", "tools", "stream", "background", "reads", "v1"],
)
def test_a_crash_or_a_refusal_for_now_is_no_no(where: Rule, names: set[str], status: int) -> None:
    """Nothing is settled by them: the capability is taken as present, and the checks say what comes."""
    found = probed(refusing(ToyService(), where, status)).capabilities
    assert {item.name for item in found if item.how is How.ASSUMED} == names
    assert names <= present(found)


def test_events_under_another_label_are_streamed() -> None:
    """A wrong Content-Type does not hide that the target streams: the check of the label has to run."""
    found = probed(ToyService(mislabels=True)).capabilities
    assert (item := found.get("stream")) is not None
    assert item.present
    assert item.note == "stream=true answered 200 application/json, and events"


def test_not_implemented_is_a_no() -> None:
    """501 says what it means."""
    found = probed(refusing(ToyService(), lambda _, body: body.get("stream") is True, 501)).capabilities
    assert "stream" not in found


class Runs(ToyService):
    """An API that has agents, and refuses some fields of their creates."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self._refused = refused

    def _post(self, request: Request) -> Response:
        body = json.loads(request.body or b"{}")
        if "agent" in body and any(field in body for field in self._refused):
            return answer({"error": {"code": "invalid_request", "message": "not for agents"}}, 400)
        return super()._post(request)


@pytest.mark.parametrize(
    ("refused", "runs", "note"),
    [
        ((), True, "ran"),
        (("environment",), True, "only without environment: 400 invalid_request: not for agents"),
        (("environment", "background"), False, "only without environment and background"),
        (("agent",), False, "did not run: 400 invalid_request: not for agents"),
    ],
)
def test_what_agents_do_not_take_is_left_out(refused: tuple[str, ...], runs: bool, note: str) -> None:
    """An agent that runs is found, whichever of environment and background it is refused with."""
    item = probed(Runs(*refused)).capabilities.get("agents")
    assert item is not None
    assert (item.present, note in item.note) == (runs, True), item.note


@pytest.mark.parametrize("name", ["environments", "webhooks"])
def test_a_collection_is_there_where_it_can_be_listed(name: str) -> None:
    """One list is asked for; nothing is made."""
    toy = ToyService()

    def serves(request: Request) -> Response:
        return answer({}) if request.segments[-1] == name else toy(request)

    assert name in probed(serves).capabilities
    assert name not in probed(toy).capabilities


def test_a_declared_word_is_never_overruled_by_silence() -> None:
    """What the user denied stays denied where the target does not answer."""
    service = refusing(ToyService(), lambda request, _: request.segments[-1] == "webhooks", 503)
    item = probed(service, "-webhooks").capabilities.get("webhooks")
    assert item is not None
    assert replace(item, note="") == replace(item, note="", present=False, how=How.DENIED)
