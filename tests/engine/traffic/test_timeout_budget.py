"""Responses that never end: how many a run waits for, and that nobody is blamed for what was cut short."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import structs

from harness.contract.requests import RequestBuilder
from harness.engine.events import RunFinished, TimeoutLosses
from harness.engine.run import RunOptions, check_target
from harness.engine.traffic.governed_driver import IN_A_ROW, Attempt, GovernedDriver, TimeoutBudget
from harness.engine.traffic.outages import NO_TIME, missing_answer
from harness.kit.check import Check, Exercise, Send, Steps
from harness.outcome import Exit, Finding, Level, Outcome
from harness.transport import Limits, ServiceDriver
from harness.wire import Chunk, Exchange, Headers, Pause, Piece, PieceBody, Request, Response, UntilClose
from tests.engine import toys

WHOLE = 60.0
GET = Request("GET", "/v1beta/interactions/x")
STREAM = Request("GET", "/v1beta/interactions/x?stream=true")
CREATE = Request("POST", "/v1beta/interactions", Headers(), b'{"stream": true}')
PLAIN_CREATE = Request("POST", "/v1beta/interactions", Headers(), b"{}")
DELETE = Request("DELETE", "/v1beta/interactions/x")


def endless() -> Response:
    """An endless answer, one byte per second."""
    pieces: Iterator[Piece] = itertools.chain.from_iterable((Chunk(b" "), Pause(1.0)) for _ in itertools.repeat(0))
    return Response(200, toys.JSON, UntilClose(), PieceBody(pieces))


class Run:
    """A driver with a budget of timeouts, in this process; `endless` says which responses do not end."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.endless: Callable[[Request], bool] = lambda request: True
        self.budget = TimeoutBudget()
        self.driver = self.drive(self._answer)

    def drive(self, answer: Callable[[Request], Response]) -> GovernedDriver:
        """Another driver of the same run, to another service."""
        return GovernedDriver(ServiceDriver(answer, limits=Limits().within(WHOLE)), [self.budget])

    def _answer(self, request: Request) -> Response:
        self.asked.append(request)
        return endless() if self.endless(request) else toys.answer({})

    def seconds(self, times: int, request: Request = GET) -> list[float]:
        """The seconds that each of so many answers took."""
        return [self.driver.send(request).seconds for _ in range(times)]


@pytest.mark.parametrize("way", ["send", "open"])
def test_a_kind_that_does_not_end_is_not_waited_for_on_and_on(way: str) -> None:
    """A few get the whole timeout, and no more is sent; a request that was not sent proves nothing."""
    run = Run()
    seen = [run.driver.send(GET) if way == "send" else run.driver.open(GET).finish() for _ in range(IN_A_ROW + 2)]
    assert [one.seconds for one in seen] == [WHOLE] * IN_A_ROW + [0.0] * 2
    assert [missing_answer(one) for one in seen[IN_A_ROW:]] == [NO_TIME] * 2
    assert not any(one.excuse for one in seen[:IN_A_ROW]), "these had the whole timeout"
    first = "GET /v1beta/interactions/x, after 60.0 s"
    assert run.budget.losses == TimeoutLosses(IN_A_ROW, IN_A_ROW * WHOLE, 2, first)
    unsent = run.driver.open(GET)
    assert (unsent.status, unsent.ended, unsent.read(1)) == (None, True, [])
    assert unsent.finish().excuse == unsent.close().excuse == run.driver.together([GET])[0].excuse != ""


def test_an_answer_that_ends_begins_a_new_row() -> None:
    run = Run()
    run.endless = lambda request: len(run.asked) % IN_A_ROW != 0
    assert run.seconds(5 * IN_A_ROW) == ([WHOLE] * (IN_A_ROW - 1) + [0.0]) * 5
    assert run.budget.losses.unsent == 0


def test_a_form_that_never_ends_gets_little_time_until_one_ends() -> None:
    run = Run()
    run.budget.shorten(run.driver.send(GET))
    run.endless = lambda request: len(run.asked) != IN_A_ROW
    assert run.seconds(IN_A_ROW) == [WHOLE / 10, 0.0, WHOLE]
    run.budget.shorten(run.driver.send(GET))
    assert run.seconds(IN_A_ROW + 1) == [WHOLE / 10] * IN_A_ROW + [0.0]


@pytest.mark.parametrize(("bad", "good"), [(STREAM, GET), (CREATE, PLAIN_CREATE), (GET, DELETE)])
def test_one_kind_costs_no_other_kind_its_time(bad: Request, good: Request) -> None:
    """Streams, asked for in the query or in a body, are a kind; a run deletes what it made, whatever hangs."""
    run = Run()
    run.endless = lambda request: request is bad
    for _ in range(20):
        run.driver.send(bad)
        assert run.driver.send(good).complete
    # One of them was sent while nothing had ended.
    assert (run.asked.count(bad), run.asked.count(good)) == (1 + IN_A_ROW, 20)


def test_what_is_waited_for_at_the_same_time_counts_once() -> None:
    """As in a burst, or with several workers."""
    run = Run()
    run.driver.together([GET] * 20)
    attempts = [Attempt(GET) for _ in range(8)]
    run.budget.before(attempts)
    cut = ServiceDriver(lambda request: endless(), limits=Limits().within(WHOLE)).send(GET)
    for attempt in attempts:
        run.budget.after(attempt, cut)
    assert run.seconds(2) == [WHOLE, 0.0], "that was the third"


class Endless(toys.ToyService):
    """A service that answers the probe, and after that ends no answer to a GET."""

    def _one(self, request: Request) -> Response:
        if request.method == "GET" and self.made > 1:
            return endless()
        return super()._one(request)


def created(number: int) -> Exercise:
    """An exercise with a name of its own: a create, and a GET of what it created."""

    def run(t: RequestBuilder) -> Steps:
        made = yield Send(t.create(input="hi"))
        return {"made": made, "got": (yield Send(t.get("i1")))}

    run.__name__ = f"created_{number}"
    return Exercise(run, requests=2, interactions=1)


def refused(got: Exchange) -> Iterator[Finding]:
    """Report a GET that did not end."""
    if not got.complete:
        yield Finding("x", "the GET did not end")


def catalogue(*levels: Level) -> tuple[Check, ...]:
    """One check per level, each with its own exercise."""
    return tuple(toys.check(f"get.n{n:02}", created(n), refused, level=level) for n, level in enumerate(levels))


def finish(service: toys.ToyService, checks: tuple[Check, ...], **options: Any) -> RunFinished:
    """Run the checks and return the final event."""
    *_, finished = check_target(toys.toy_target(service, wait=WHOLE, **options), checks, RunOptions())
    assert isinstance(finished, RunFinished)
    return finished


def test_a_run_judges_no_response_that_a_limit_cut() -> None:
    """What it lacks, its rest may have had: no rule counts as broken, and what was created is deleted."""
    service = Endless()
    finished = finish(service, catalogue(*[Level.MUST] * 16))
    assert {result.observation.outcome for result in finished.results} == {Outcome.UNTESTABLE}
    said = [result.observation.instead for result in finished.unjudged]
    assert said == ["a truncated response"] * IN_A_ROW + [NO_TIME] * (16 - IN_A_ROW)
    assert (finished.cut.answers, finished.cut.unsent) == (IN_A_ROW, 16 - IN_A_ROW)
    assert (service.stored, finished.leftovers, finished.exit) == ({}, (), Exit.INCOMPLETE)


def test_a_rule_about_ends_is_broken_by_a_response_that_has_none() -> None:
    """Its check says so (`judges_ends`), and still does not judge a request that was not sent."""
    checks = tuple(structs.replace(check, judges_ends=True) for check in catalogue(*[Level.MUST] * 16))
    said = [result.observation.outcome for result in finish(Endless(), checks).results]
    assert said == [Outcome.NOT_MET] * IN_A_ROW + [Outcome.UNTESTABLE] * (16 - IN_A_ROW)
