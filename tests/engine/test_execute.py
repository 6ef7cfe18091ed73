"""Playing one exercise: who is to blame for a failure, which streams are closed, what is kept as evidence."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, cycle, repeat
from typing import Any
from unittest.mock import Mock

import pytest
from msgspec import structs

from harness.contract import load
from harness.contract.requests import RequestBuilder
from harness.engine.events import everything
from harness.engine.execute import PlayedExercise, play
from harness.engine.origins import with_origins
from harness.engine.targets import TargetOptions, embed_emulator
from harness.engine.traffic.governed_driver import Attempt, GovernedDriver
from harness.engine.traffic.ledger import CreatedResources
from harness.engine.traffic.outages import Outages, Retries
from harness.engine.traffic.perform import ActionRunner
from harness.interactions.servers import SERVERS
from harness.kit.check import STOPPED, Check, Exercise, Finish, Open
from harness.outcome import Finding, Observation, Outcome, Unmet
from harness.transport import ServiceDriver
from harness.wire import At, By, Driver, Ending, Exchange, How, Request, Response, Send, Together, Wait
from tests.contract.exchanges import ROOT
from tests.contract.exchanges import exchange as made
from tests.engine import toys


def _able() -> Any:
    """The embedded emulator as exercises see it, with every capability."""
    able = everything(SERVERS.load_capabilities())
    return embed_emulator(SERVERS, TargetOptions()).able(able).target


def played(
    exercise: Exercise, service: toys.ToyService | None = None, ledger: CreatedResources | None = None
) -> PlayedExercise:
    """One exercise against a toy."""
    driver = ServiceDriver(service or toys.ToyService())
    return play(SERVERS, exercise, toys.RequestBuilder(), driver, ledger or CreatedResources(SERVERS))


@pytest.mark.parametrize(
    ("check", "outcome", "reason"),
    [
        (toys.CREATE, Outcome.MET, ""),
        (toys.ODD, Outcome.NOT_MET, ""),
        (toys.STREAM, Outcome.MET, ""),
        (toys.UNMET, Outcome.UNTESTABLE, "the target has no x"),
        (toys.RAISES, Outcome.ERROR, "KeyError: 'a bug'"),
        (toys.BUGGY, Outcome.ERROR, "the judge fell over"),
    ],
)
def test_observation(check: Check, outcome: Outcome, reason: str) -> None:
    """An unmet prerequisite makes a check untestable; any other exception of an exercise or judge is our ERROR."""
    observation = played(check.exercise).observe(check)
    assert observation.outcome is outcome
    assert reason in observation.reason


def test_a_response_that_did_not_end_is_named() -> None:
    """Of all that a check sent, which hung, and whether it had begun."""
    result = played(toys.CREATE.exercise)
    hung = structs.replace(result.trail[0], ending=Ending(By.LIMIT, How.TIMEOUT), seconds=2.0)
    observation = structs.replace(result, results={**(result.results or {}), "created": hung}).observe(toys.CREATE)
    assert observation.reason.endswith(" (created) began a response that did not end in 2.0 s")


def test_open_streams_are_hung_up_and_noted() -> None:
    """A stream that an exercise leaves open is closed, and what it created is in the ledger."""
    ledger = CreatedResources(SERVERS)
    result = played(toys.leave_open, ledger=ledger)
    assert [exchange.ending.by for exchange in result.trail] == [By.CLIENT]
    assert result.observe(toys.LEFT_OPEN).outcome is Outcome.MET


def test_a_halted_run_sends_nothing_again() -> None:
    """What a create is given that is sent again after an interrupt, nobody would delete."""
    sent: list[Request] = []

    def crash(request: Request) -> Response:
        sent.append(request)
        return Response.json(500, b"{}")

    target, ledger = RequestBuilder(key="any"), CreatedResources(SERVERS)
    driver = ServiceDriver(crash)
    play(SERVERS, toys.create_and_get, target, driver, ledger, lambda: bool(sent), outages=Outages())
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("seconds", "ends", "status", "heard", "judged"),
    [
        ([0.05], False, 200, "", "hung"),
        ([1.5], False, 200, "", "excused"),
        ([0.05, 0.05, 1.5], False, 200, "", "excused"),  # it fell asleep again
        ([0.05], True, 200, "", "whole"),
        ([0.05], False, None, "", "hung"),
        ([1.5], False, None, "", "excused"),
        ([0.05], True, None, "", "excused"),
        ([0.05], False, 200, "own", "hung"),
        ([0.05], False, 200, "lost", "excused"),
    ],
)
def test_a_stream_without_an_end_accuses_only_a_target_that_is_awake(
    seconds: list[float], ends: bool, status: int | None, heard: str, judged: str
) -> None:
    """A process that is stopped ends no stream, and answers nothing else; once it is awake, the stream ends.

    One that an exercise opened, and that had no response (`status` None), is read by nobody a second time. The
    control was `heard` before: a stream of the exercise's own, which ends, or of another one, which is lost.
    """
    look = made("GET", f"{ROOT}/i1")
    whole = made("GET", f"{ROOT}/i1?stream=true", label="text/event-stream")
    hung = structs.replace(whole, ending=Ending(By.LIMIT, How.TIMEOUT), seconds=2.0, status=status)
    looks = cycle(structs.replace(look, seconds=passed) for passed in seconds)
    streams = iter([hung, *[whole if ends else hung] * (Outages.LOSSES - 1)])
    own, another = (made("GET", f"{ROOT}/{name}?stream=true", label="text/event-stream") for name in ("i2", "i3"))

    class Target(Driver):
        def perform(self, action: Any) -> Any:
            if isinstance(action, Open):
                return Mock(finish=lambda: next(streams))
            others = {hung.request: streams, own.request: repeat(own), another.request: repeat(hung)}
            return next(others.get(action.request, looks))

        def close(self) -> None: ...

    outages, target = Outages(), RequestBuilder(key="any")
    outages.after(Attempt(look.request), look)  # the control
    ledger = CreatedResources(SERVERS)
    ledger.note(made("POST", ROOT, sent={"model": "m"}, body={"id": "i2", "status": "completed"}))
    for one in {"": (), "own": (own, another), "lost": (another,)}[heard]:
        outages.after(Attempt(one.request), one)
    hand = ActionRunner(SERVERS, Target(), ledger, target.contract, outages=outages)
    exchange = hand.perform(Send(hung.request) if status else Finish(hand.perform(Open(hung.request))))
    assert ("excused" if exchange.excuse else "hung" if exchange.hung else "whole") == judged
    assert bool(outages.silences) is (judged == "hung" and status is None), "what began is no silence"


class Full(Driver):
    """Closes the last of the connections that come at once, and if one `lingers`, all until a pause after them."""

    def __init__(self, lingers: bool) -> None:
        self.lingers, self.is_busy = lingers, False

    def perform(self, action: Any) -> Any:
        if isinstance(action, Wait):
            self.is_busy = False
        elif isinstance(action, Together):
            self.is_busy = self.lingers
            return [
                *map(self._answer, action.requests[:-1], repeat(False)),
                self._answer(action.requests[-1], True),
            ]
        return None if isinstance(action, Wait) else self._answer(action.request, self.is_busy)

    def _answer(self, request: Request, is_closed: bool) -> Exchange:
        closed = {"status": None, "ending": Ending(By.SERVER, How.FIN, At.BEFORE_HEADERS)}
        return structs.replace(made(), request=request, **(closed if is_closed else {}))

    def close(self) -> None: ...


@pytest.mark.parametrize("lingers", [False, True])
def test_a_limit_of_connections_is_named(lingers: bool) -> None:
    """Harmless requests at once are cut, too, so what is lost is excused."""
    driver = GovernedDriver(Full(lingers), [outages := Outages()])
    driver.send(made("GET", f"{ROOT}/i1").request)  # the control
    hand = ActionRunner(SERVERS, driver, CreatedResources(SERVERS), RequestBuilder().contract, outages=outages)
    *_, last = hand.perform(Together((made("POST", ROOT, sent={"model": "m"}).request,) * 8))
    assert "limits connections" in last.excuse
    assert "limits connections" in " ".join(outages.describe_rejections())


def test_evidence_is_what_the_judge_looked_at() -> None:
    """The evidence is what the judge saw and the create behind it; for a failed exercise, its whole trail."""
    result = played(toys.create_and_get)
    create = result.observe(toys.CREATE)
    assert [e.request.method for e in result.evidence(toys.CREATE, create)] == ["POST"]
    assert [e.request.method for e in result.evidence(toys.ODD, result.observe(toys.ODD))] == ["POST", "GET"]
    failed = played(toys.unmet)
    assert failed.evidence(toys.UNMET, failed.observe(toys.UNMET)) == failed.trail


@pytest.mark.parametrize(
    ("check_id", "number", "status", "outcome"),
    [
        ("err.retry-after", 1, 429, Outcome.NOT_MET),
        ("rob.deep-json", 2, 503, Outcome.NOT_MET),
        ("stream.hangup", 2, 503, Outcome.NOT_MET),
        ("rob.deep-json", 2, 429, Outcome.MET),
    ],
)
def test_checks_of_refusals_see_them(check_id: str, number: int, status: int, outcome: Outcome) -> None:
    """A temporary 429 or 503 that a check is about is returned to the check instead of being waited out."""
    emulator, sent = SERVERS.new_service(load()), count(1)

    def once(request: Request) -> Response:
        if request.segments[0] == "__harness__" or next(sent) != number:
            return emulator(request)
        refusal = toys.answer({"error": {"code": "unavailable", "message": "Not now."}}, status)
        return structs.replace(refusal, headers=refusal.headers.having("retry-after", "soon"))

    check = next(check for check in SERVERS.load_catalogue() if check.id == check_id)
    driver, ledger = GovernedDriver(ServiceDriver(once, emulator.clock), [Retries()]), CreatedResources(SERVERS)
    assert play(SERVERS, check.exercise, _able(), driver, ledger).observe(check).outcome is outcome


ASK = Request("GET", "/v1beta/interactions/x")


@pytest.mark.parametrize(
    ("wants", "statuses", "cause"),
    [
        (["one"], {"one": 429}, "429"),
        (["one"], {"one": 500, "two": 429}, "500"),
        (["two"], {"one": 429, "two": 200}, ""),
        (["three"], {"one": 200, "two": 503}, "503"),
        (["one", "three"], {"one": 200, "two": 503}, "503"),
        (["one", "two"], {"one": 404, "two": 501}, ""),
    ],
)
def test_why_there_was_nothing_to_judge(wants: list[str], statuses: dict[str, int], cause: str) -> None:
    """The cause is taken from what the judge looks at, or, if the exercise stopped early, from its trail."""
    results = {name: toys_driver(refuse=status).send(ASK) for name, status in statuses.items()}
    stop = {} if set(wants) <= statuses.keys() else {STOPPED: Unmet("nothing to go on with")}
    brought = PlayedExercise({**results, **stop}, None, tuple(results.values()), 0.0, SERVERS)
    check = structs.replace(toys.UNMET, judge=cannot_judge, wants=tuple(wants))
    observation = brought.observe(check)
    assert observation.outcome is Outcome.UNTESTABLE
    assert observation.instead == cause


def cannot_judge(**exchanges: Exchange) -> tuple[Finding, ...]:
    """A judge that always lacks what it needs."""
    raise Unmet("nothing to look at")


@dataclass
class Carrier:
    """An object of a check that holds an exchange."""

    exchange: Exchange


def exchange(name: str) -> Exchange:
    """A finished exchange with a path of its own."""
    return toys_driver().send(Request("GET", f"/v1beta/interactions/{name}"))


def toys_driver(**flags: Any) -> ServiceDriver:
    """A driver to a toy with these flags."""
    return ServiceDriver(toys.ToyService(**flags))


ONE, TWO, THREE, FOUR = (exchange(name) for name in ("one", "two", "three", "four"))
RESULTS: dict[str, Any] = {
    "polled": [ONE, TWO],
    "forms": {"string": THREE, "list": FOUR},
    "resume after event 3": Carrier(TWO),
    "nested": {"a": [ONE, Carrier(FOUR)]},
    "number": 7,
}


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("polled", [ONE, TWO]),
        ("polled[0]", [ONE]),
        ("forms", [THREE, FOUR]),
        ("forms[list]", [FOUR]),
        ("resume after event 3", [TWO]),
        ("nested", [ONE, FOUR]),
        ("nested[a]", [ONE, FOUR]),
        ("polled[2]", [ONE, TWO, THREE, FOUR]),
        ("", [ONE, TWO, THREE, FOUR]),
    ],
)
def test_evidence_is_the_place_a_finding_names(place: str, named: list[Exchange]) -> None:
    """A finding's place selects the exchanges to show; if the place does not exist, the whole trail is shown."""
    observation = Observation.of([Finding("x.y", "wrong").at(exchange=place)])
    brought = PlayedExercise(RESULTS, None, (ONE, TWO, THREE, FOUR), 0.0, SERVERS)
    assert list(brought.evidence(toys.UNMET, observation)) == named


def test_evidence_has_what_it_stands_on() -> None:
    """Evidence includes the creates of the ids in it and changes to them, but no second deletions."""
    parent = made(sent={"input": "Hi"}, body={"id": "v1_a", "status": "completed"})
    other = made(sent={"input": "Hi"}, body={"id": "v1_b", "status": "completed"})
    child = made(
        sent={"input": "Hi", "previous_interaction_id": "v1_a"}, body={"id": "v1_c", "status": "completed"}
    )
    looked = made("GET", f"{ROOT}/v1_a", body={"id": "v1_a"})
    deleted, again = (made("DELETE", f"{ROOT}/v1_a", status=status, body={}) for status in (200, 404))
    grandchild = made(sent={"input": "Hi", "previous_interaction_id": "v1_c"}, body={"id": "v1_d"})
    trail = (parent, other, looked, child, deleted, again, grandchild)
    brought = PlayedExercise({}, None, trail, 0.0, SERVERS)
    assert with_origins([grandchild], brought.trail, SERVERS) == (parent, child, grandchild)
    assert with_origins([child], brought.trail, SERVERS) == (parent, child)
    late = made(sent={"input": "Hi", "previous_interaction_id": "v1_a"}, body={"error": {}}, status=400)
    assert with_origins([late], (*trail, late), SERVERS) == (parent, deleted, late)
    reused = made(sent={"input": "Hi"}, body={"id": "v1_a", "status": "completed"})
    assert with_origins([reused], (*trail, reused), SERVERS) == (parent, deleted, reused)


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        (["in_progress", "in_progress", "completed", "completed", "in_progress"], [0, 3, 4, 5]),
        (["in_progress", "in_progress", "completed"], [0, 3]),
        (["completed", "failed"], [0, 2]),
    ],
)
def test_a_state_that_returns_is_shown_with_the_looks_before(statuses: list[str], shown: list[int]) -> None:
    """A look that finds a state which the looks before it had left is shown with these; any other stands alone."""
    path = "/v1beta/interactions/v1_a"
    created = made(sent={"input": "hi"}, body={"id": "v1_a", "status": "in_progress"})
    looks = [made("GET", path, body={"id": "v1_a", "status": status}) for status in statuses]
    trail = (created, *looks)
    played = PlayedExercise({"created": created, "polled": looks}, None, trail, 0.0, SERVERS)
    finding = Finding("x.y", "wrong").at(exchange=f"polled[{len(looks) - 1}]")
    found = played.evidence(toys.UNMET, Observation.of([finding]))
    assert [trail.index(one) for one in found] == shown
