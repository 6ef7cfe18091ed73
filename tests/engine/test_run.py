"""A whole run: each exercise runs once, each check gets one verdict, and the user's options are obeyed."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.contract.requests import RequestBuilder
from harness.engine.decide import Baseline, Entry
from harness.engine.events import (
    CheckFinished,
    ExerciseFinished,
    ExerciseStarted,
    Planned,
    Probed,
    RunEvent,
    RunFinished,
    RunStarted,
    Waited,
)
from harness.engine.run import PausingDriver, Places, RunOptions, check_target
from harness.engine.traffic.ledger import CreatedResources
from harness.engine.traffic.perform import ActionRunner
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.interactions.servers import SERVERS
from harness.kit.check import Check, Exercise, Open, Send, Steps, Together, Wait, exercise
from harness.outcome import Exit, Unmet, Verdict
from harness.transport.inprocess.service_driver import ServiceDriver
from harness.wire import Driver, DriverAction, Exchange, Request, Response
from tests.engine import toys


def run(
    catalogue: Sequence[Check], service: toys.ToyService | None = None, **options: Any
) -> tuple[list[RunEvent], RunFinished]:
    """All events of a run, and its final event."""
    target = toys.toy_target(service or toys.ToyService())
    events = list(check_target(target, catalogue, RunOptions(**options)))
    assert isinstance(events[-1], RunFinished)
    return events, events[-1]


def verdicts(finished: RunFinished) -> dict[str, Verdict]:
    """The verdicts by check id."""
    return {result.id: result.verdict for result in finished.results}


def test_events_in_order() -> None:
    """The events come in order: start, probe, plan, each exercise before its checks, end."""
    events, finished = run(toys.CATALOGUE)
    kinds = [type(event) for event in events]
    assert kinds[:3] == [RunStarted, Probed, Planned]
    assert kinds[3:] == [
        ExerciseStarted,
        ExerciseFinished,
        CheckFinished,
        CheckFinished,
        ExerciseStarted,
        ExerciseFinished,
        CheckFinished,
        RunFinished,
    ]
    assert finished.exit is Exit.OK
    told = {event.result.id: event.result for event in events if isinstance(event, CheckFinished)}
    assert all(result is told[result.id] for result in finished.results), "what listeners know of them stays valid"


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_exercise_runs_once_and_results_keep_the_catalogue_order(jobs: int) -> None:
    service = toys.ToyService()
    catalogue = (toys.CREATE, toys.STREAM, toys.GET, toys.ODD, toys.SHOULD)
    _, finished = run(catalogue, service, jobs=jobs)
    assert [result.id for result in finished.results] == [check.id for check in catalogue]
    assert finished.counts[Verdict.PASS] == 3
    assert service.stored == {}, "everything created was deleted"


def test_what_has_to_be_alone_is_over_before_others_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of workers and the order of the catalog; one that waits lets the next begin.

    What it left is read again, and runs are deleted, by as many requests at a time as there are workers.
    """
    second_began, perform, together = threading.Event(), ServiceDriver.perform, list[str]()

    @exercise(requests=5, interactions=4, alone=True)
    def create_alone(t: RequestBuilder) -> Steps:
        for _ in range(4):
            created = yield Send(t.create(input="alone"))
        yield Wait(1.0)
        return {"created": created, "got": (yield Send(t.get(toys._id(created))))}

    @exercise(requests=1, alone=True)
    def get_alone(t: RequestBuilder) -> Steps:
        second_began.set()
        return {"got": (yield Send(t.get("none")))}

    def wait(driver: ServiceDriver, action: DriverAction) -> Any:
        assert not isinstance(action, Wait) or second_began.wait(5.0)
        together.extend(one.method for one in (action.requests if isinstance(action, Together) else ()))
        return perform(driver, action)

    monkeypatch.setattr(ServiceDriver, "perform", wait)
    assert Exercise.join((toys.create_and_get, create_alone)).alone
    alone = [toys.check(f"get.{one.name}", one, toys.got_200) for one in (create_alone, get_alone)]
    events, finished = run((toys.CREATE, toys.STREAM, *alone), jobs=3)
    assert [getattr(event, "name", "") for event in events[3:5]] == ["create_alone", "get_alone"]
    assert {type(event) for event in events[5:9]} == {ExerciseFinished, CheckFinished}
    assert [one.verdict for one in finished.results[-2:]] == [Verdict.PASS, Verdict.FAIL]
    assert together == ["GET"] * 3 + ["DELETE"] * 3, "the fourth one is sent by itself"


@pytest.mark.parametrize(
    ("action", "is_open"),
    [(Wait(1.0), False), (Wait(1.0), True), (Together((), is_idle=True), False), (Together(()), True)],
)
def test_who_waits_leaves_the_place_to_another(action: Wait | Together, *, is_open: bool) -> None:
    """Not beside an open stream: no more than `jobs` exercises have responses under way, or none but of runs."""
    places, played = Places(1), list[str]()

    def pass_time(action: DriverAction) -> list[Exchange]:
        if not isinstance(action, Open):
            other.start()
            other.join(0.0 if is_open else 5.0)
            played.append("own")
        return []

    other = threading.Thread(target=lambda: [places.take(), played.append("other"), places.give()])
    places.take()
    driver = PausingDriver(cast(Driver, SimpleNamespace(perform=pass_time)), places)
    hand = ActionRunner(SERVERS, driver, CreatedResources(SERVERS), cast(Any, None))
    for one in (*[Open(Request("GET", "/stream"))] * (is_open and isinstance(action, Wait)), action):
        hand.perform(one)
    places.give()
    other.join()
    assert played == (["own", "other"] if is_open else ["other", "own"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"get.odd": Verdict.FAIL, "get.should": Verdict.WARN}),
        ({"strict": True}, {"get.odd": Verdict.FAIL, "get.should": Verdict.FAIL}),
        (
            {"baseline": Baseline([Entry("get.odd", "known", ""), Entry("create.ok", "was", "")])},
            {"get.odd": Verdict.XFAIL, "create.ok": Verdict.STALE},
        ),
    ],
)
def test_verdicts(options: dict[str, Any], expected: dict[str, Verdict]) -> None:
    """The verdict follows from the outcome together with level, strictness and baseline."""
    _, finished = run((toys.CREATE, toys.ODD, toys.SHOULD), **options)
    assert expected.items() <= verdicts(finished).items()


class Refusing(toys.ToyService):
    """A toy that answers the probe, then refuses the first `times` GETs."""

    def __init__(self, times: int, status: int = 429) -> None:
        super().__init__()
        self.left = times
        self.status = status

    def _one(self, request: Request) -> Response:
        if request.method == "GET" and self.made > PROBED and self.left:
            self.left -= 1
            return toys.answer({"error": {"code": "rate_limit_exceeded", "message": "later"}}, self.status)
        return super()._one(request)


PROBED = 1
"""The number of creates that a probe sends when only `store` matters."""


@toys.exercise(requests=2, interactions=1)
def reads(t: toys.RequestBuilder) -> toys.Steps:
    """POST, then GET; raises Unmet unless the GET succeeds."""
    created = yield toys.Send(t.create(input="hi"))
    got = yield toys.Send(t.get(json.loads(created.body)["id"]))
    if got.status != 200:
        raise Unmet(f"answered {got.status}")
    return {"created": created, "got": got}


READS = toys.check("get.read", reads, toys.got_200, requires={"store"})


def test_a_refusal_for_now_is_waited_out() -> None:
    """The verdict is that of the final answer; each wait is reported, and the final event has their total."""
    told: list[int | None] = []
    manners = TrafficPolicy(report_wait=lambda _, refusal: told.append(refusal.status))
    _, finished = run((READS,), Refusing(3), traffic=manners)
    assert verdicts(finished) == {"get.read": Verdict.PASS}
    assert told == [429] * 3
    assert finished.waited == Waited(3, 7.0)
    assert finished.exit is Exit.OK


@pytest.mark.parametrize(
    ("service", "cause"), [(Refusing(1000), "429"), (Refusing(1000, 503), "503"), (Refusing(1000, 500), "500")]
)
def test_a_must_without_an_answer_is_not_judged(service: Refusing, cause: str) -> None:
    """If a MUST check got no response, the run is not green, whatever else passed, and the reason is kept."""
    _, finished = run((toys.STREAM, READS), service)
    assert verdicts(finished) == {"stream.any": Verdict.PASS, "get.read": Verdict.UNTESTABLE}
    assert [(r.id, r.observation.instead) for r in finished.unjudged] == [("get.read", cause)]
    assert finished.exit is Exit.INCOMPLETE


def test_clean_up_is_polite() -> None:
    """A deletion that is temporarily refused is repeated."""

    class Busy(toys.ToyService):
        refused = False

        def _one(self, request: Request) -> Response:
            if request.method == "DELETE" and not self.refused:
                self.refused = True
                return toys.answer({}, 503)
            return super()._one(request)

    service = Busy()
    _, finished = run((toys.CREATE,), service)
    assert (service.refused, service.stored, finished.leftovers) == (True, {}, ())


def test_an_interrupt_cleans_up() -> None:
    """Ctrl-C during a request closes streams, deletes what was created, and accounts for every check."""
    service = toys.ToyService()

    @toys.exercise(requests=2)
    def interrupted(t: toys.RequestBuilder) -> toys.Steps:
        yield toys.Send(t.create(input="hi"))
        raise KeyboardInterrupt

    catalogue = (toys.CREATE, toys.check("a.b", interrupted, toys.nothing))
    _, finished = run(catalogue, service)
    assert verdicts(finished) == {"create.ok": Verdict.PASS, "a.b": Verdict.NOT_RUN}
    assert finished.exit is Exit.INTERRUPTED
    assert service.made == 3
    assert service.stored == {}
