"""Answers that never end: how long the run waits for them, and that nobody is blamed for what was cut short."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import structs

from harness.checks import Check, Open, Read, RequestBuilder, Send, Steps, exercise
from harness.contract.requests import WaitingTime
from harness.engine.cleanup import CreatedResources
from harness.engine.events import RunFinished
from harness.engine.execute import play
from harness.engine.run import RunOptions, check_target
from harness.engine.traffic.governed_driver import Attempt, GovernedDriver
from harness.engine.traffic.patience import (
    FIRST,
    FULL_TIMEOUTS,
    LARGE,
    MAX_CUT,
    NEXT,
    PART,
    HurriedStreams,
    TimeoutBudget,
    TimeoutLosses,
    is_stream,
)
from harness.engine.traffic.retries import NO_TIME, missing_answer
from harness.interactions import INTERACTIONS
from harness.kit.check import Exercise
from harness.outcome import Exit, Finding, Level, Outcome
from harness.transport import Limits, ServiceDriver
from harness.wire import (
    At,
    By,
    Chunk,
    Ending,
    Exchange,
    ExchangeBuilder,
    Headers,
    How,
    LiveStream,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    UntilClose,
)
from tests.engine import toys

SOON = 2.0
"""What a stream of a run gets once it is known that no run settles."""


def opened_by(streams: HurriedStreams, request: Request, timeout: float | None = None) -> LiveStream:
    """A stream without an end, which waits a second for each byte; `streams` governs it."""
    driver = GovernedDriver(ServiceDriver(lambda request: endless(), limits=Limits(total_seconds=60)), [streams])
    return driver.open(request, timeout=timeout)


def new_streams() -> HurriedStreams:
    """A policy for streams of GET."""
    return HurriedStreams(lambda request: request.method == "GET")


def test_open_streams_of_runs_end_soon_once_no_run_settles() -> None:
    """What we cut off says nothing about the target; what is no run, or has a time of its own, keeps its time."""
    streams = new_streams()
    open_before, other = opened_by(streams, STREAM), opened_by(streams, CREATE)
    own = opened_by(streams, STREAM, timeout=20.0)
    streams.hurry(SOON, "no run settles")
    after = opened_by(streams, STREAM)
    for stream in (open_before, after):
        exchange = stream.finish()
        assert exchange.hung
        assert exchange.excuse == "no run settles"
        assert exchange.seconds <= SOON + 1
    for stream, seconds in ((other, 60), (own, 20)):
        exchange = stream.finish()
        assert not exchange.excuse
        assert exchange.seconds >= seconds - 1


def test_two_waits_in_vain_tell_the_watchers_once() -> None:
    """One run that does not settle may be a mishap."""
    told: list[tuple[float, str]] = []
    waiting = WaitingTime(watchers=[lambda seconds, why: told.append((seconds, why))])
    waiting.note_in_vain(40.0)
    assert not told
    for _ in range(3):
        waiting.note_in_vain(40.0)
    assert told == [(5.0, "two background runs had not settled, one after 40 s")]


WHOLE = 60.0
LESS = WHOLE / PART
GET = Request("GET", "/v1beta/interactions/x")
STREAM = Request("GET", "/v1beta/interactions/x?stream=true")
CREATE = Request("POST", "/v1beta/interactions", Headers(), b'{"stream": true}')
DELETE = Request("DELETE", "/v1beta/interactions/x")


def endless() -> Response:
    """An endless answer, one byte per second."""
    pieces: Iterator[Piece] = itertools.chain.from_iterable((Chunk(b" "), Pause(1.0)) for _ in itertools.repeat(0))
    return Response(200, toys.JSON, UntilClose(), PieceBody(pieces))


def slow(seconds: float) -> Response:
    """An answer that ends after some seconds."""
    pieces = (Chunk(b"{"), Pause(seconds), Chunk(b"}"), Ending())
    return Response(200, toys.JSON, UntilClose(), PieceBody(pieces))


class Service:
    """Answers without an end where `endless` says so, by the request and its number."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.endless: Callable[[Request, int], bool] = lambda request, number: True

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        return endless() if self.endless(request, len(self.asked)) else toys.answer({})


class Run:
    """A driver with a budget of timeouts, in this process and without real waiting."""

    def __init__(self) -> None:
        self.service = Service()
        self.budget = TimeoutBudget(WHOLE)
        self.driver = self.drive(ServiceDriver(self.service, limits=Limits().within(WHOLE)))

    def drive(self, driver: ServiceDriver) -> GovernedDriver:
        """Another driver of the same run."""
        return GovernedDriver(driver, [self.budget])

    def seconds(self, times: int, request: Request = GET) -> list[float]:
        """The seconds that each of so many answers took."""
        return [self.driver.send(request).seconds for _ in range(times)]


@pytest.mark.parametrize("way", ["send", "open"])
def test_answers_without_an_end_get_less_time_and_then_none(way: str) -> None:
    """The first endless answers get the whole timeout, the next ones a part, and after that nothing is sent."""
    run = Run()
    took = [
        (run.driver.send(GET) if way == "send" else run.driver.open(GET).finish()).seconds
        for _ in range(MAX_CUT + 5)
    ]
    assert took == [WHOLE] * FULL_TIMEOUTS + [LESS] * (MAX_CUT - FULL_TIMEOUTS) + [0.0] * 5
    assert len(run.service.asked) == MAX_CUT
    spent = FULL_TIMEOUTS * WHOLE + (MAX_CUT - FULL_TIMEOUTS) * LESS
    assert run.budget.losses == TimeoutLosses(
        MAX_CUT, spent, MAX_CUT - FULL_TIMEOUTS, 5, "GET /v1beta/interactions/x, after 60.0 s"
    )


def test_who_is_slow_loses_nothing() -> None:
    """Answers that take nearly the whole timeout but end never shorten it, however many there are."""
    budget = TimeoutBudget(WHOLE)
    driver = GovernedDriver(ServiceDriver(lambda request: slow(59.0), limits=Limits().within(WHOLE)), [budget])
    assert all(driver.send(GET).complete for _ in range(100))
    assert budget.losses == TimeoutLosses()


def test_an_answer_that_ends_gives_the_whole_time_back() -> None:
    """An answer that ends restores the whole timeout, so only consecutive endless answers shorten it."""
    run = Run()
    run.service.endless = lambda request, number: number % (FULL_TIMEOUTS + 2) != 0
    row = [WHOLE] * FULL_TIMEOUTS + [LESS, 0.0]
    assert run.seconds(50) == row * 10
    assert run.budget.losses.unsent == 0


def test_streams_that_never_end_cost_nothing_else_its_time() -> None:
    """Endless streams are counted separately, so they do not shorten the timeout of other requests."""
    run = Run()
    run.service.endless = lambda request, number: request is STREAM
    for _ in range(20):
        run.driver.send(STREAM)
        assert run.driver.send(GET).complete
    asked = run.service.asked
    assert (asked.count(STREAM), asked.count(GET)) == (MAX_CUT, 20)
    assert run.budget.losses.seconds == FULL_TIMEOUTS * WHOLE + (MAX_CUT - FULL_TIMEOUTS) * LESS


def test_a_refusal_is_no_stream_that_ended() -> None:
    """A refused stream request neither restores the timeout of streams nor counts against them."""
    run = Run()
    refusals = ServiceDriver(lambda request: toys.answer({}, 400))
    for _ in range(20):
        run.driver.send(STREAM)
        assert run.drive(refusals).send(STREAM).status in (400, None)
    assert run.service.asked.count(STREAM) == MAX_CUT


def test_a_stream_is_asked_for_in_a_body_too() -> None:
    run = Run()
    run.service.endless = lambda request, number: request is CREATE
    plain = Request("POST", "/v1beta/interactions", Headers(), b"{}")
    for _ in range(20):
        run.driver.send(CREATE)
        run.driver.send(plain)
    assert (run.service.asked.count(CREATE), run.service.asked.count(plain)) == (MAX_CUT, 20)


def test_what_is_waited_for_at_the_same_time_counts_once() -> None:
    """Endless answers that were waited for at the same time count as one, as in a burst or with -j N."""
    run = Run()
    run.driver.together([GET] * 20)
    assert run.seconds(1) == [WHOLE]
    attempts = [Attempt(GET) for _ in range(8)]
    run.budget.before(attempts)
    cut = ServiceDriver(lambda request: endless(), limits=Limits().within(WHOLE)).send(GET)
    for attempt in attempts:
        run.budget.after(attempt, cut)
    assert run.seconds(1) == [LESS], "that was the third"


def test_what_is_sent_together_has_its_whole_time() -> None:
    """Requests sent together have the whole timeout, so that none of their endings counts as cut short."""
    run = Run()
    run.seconds(FULL_TIMEOUTS)
    (exchange,) = run.driver.together([GET])
    assert (exchange.seconds, exchange.excuse) == (WHOLE, "")


def test_a_drop_and_our_own_hang_up_tell_nothing() -> None:
    """A dropped connection and a hang-up of our own neither extend the count of endless answers nor reset it."""
    run = Run()
    run.seconds(FULL_TIMEOUTS - 1)
    run.driver.open(GET).close()
    run.service.endless = lambda request, number: True
    dropped = run.drive(
        ServiceDriver(lambda request: Response.dead(Ending(By.SERVER, How.RST, At.BEFORE_HEADERS)))
    )
    dropped.send(GET)
    assert run.seconds(2) == [WHOLE, LESS]


def test_a_run_cleans_up_as_long_as_deletions_end() -> None:
    """Deletions are still sent after all else was given up, and are given up themselves if they never end."""
    run = Run()
    run.service.endless = lambda request, number: request is GET
    run.seconds(MAX_CUT)
    assert run.driver.send(DELETE).complete
    run.service.endless = lambda request, number: True
    run.seconds(MAX_CUT)
    assert sum(run.seconds(MAX_CUT + 3, DELETE)) <= MAX_CUT * WHOLE
    assert run.service.asked.count(DELETE) == 1 + MAX_CUT


def test_a_shorter_time_of_the_callers_own_stays() -> None:
    """A caller's own shorter timeout stays in force, and its end does not count as cut short by us."""
    run = Run()
    run.seconds(FULL_TIMEOUTS)
    exchange = run.driver.send(GET, timeout=LESS / 2)
    assert (exchange.seconds, exchange.excuse) == (LESS / 2, "")


def test_haste_is_told_from_patience() -> None:
    """An answer that had the whole timeout is the target's doing; one that had less, or was not sent, is ours."""
    run = Run()
    exchanges = [run.driver.send(GET) for _ in range(MAX_CUT + 1)]
    assert [bool(exchange.excuse) for exchange in exchanges] == [False] * FULL_TIMEOUTS + [True] * (
        MAX_CUT - FULL_TIMEOUTS + 1
    )
    assert [missing_answer(exchange) for exchange in exchanges[FULL_TIMEOUTS:]] == [NO_TIME] * (
        MAX_CUT - FULL_TIMEOUTS + 1
    )
    unsent = run.driver.open(GET)
    assert (unsent.status, unsent.ended, unsent.read(1)) == (None, True, [])
    assert unsent.finish().excuse == unsent.close().excuse == run.driver.together([GET])[0].excuse


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


def finish(service: toys.ToyService, *levels: Level, **options: Any) -> RunFinished:
    """Run the catalogue and return the final event."""
    target = toys.toy_target(service, wait=WHOLE, **options)
    finished = list(check_target(target, catalogue(*levels), RunOptions()))[-1]
    assert isinstance(finished, RunFinished)
    return finished


def test_a_run_judges_no_response_that_a_limit_cut() -> None:
    """What it lacks, its rest may have had: no rule counts as broken, and what was created is deleted."""
    service = Endless()
    finished = finish(service, *[Level.MUST] * 16)
    assert {result.observation.outcome for result in finished.results} == {Outcome.UNTESTABLE}
    said = [result.observation.instead for result in finished.unjudged]
    assert said == ["a truncated response"] * FULL_TIMEOUTS + [NO_TIME] * (16 - FULL_TIMEOUTS)
    assert (finished.cut.answers, finished.cut.unsent) == (MAX_CUT, 16 - MAX_CUT)
    assert (service.stored, finished.leftovers, finished.exit) == ({}, (), Exit.UNREACHABLE)


def test_a_rule_about_ends_is_broken_by_a_response_that_has_none() -> None:
    """Its check says so (`judges_ends`), and still does not judge a response that had less than its time."""
    checks = [structs.replace(check, judges_ends=True) for check in catalogue(*[Level.MUST] * 16)]
    finished = list(check_target(toys.toy_target(Endless(), wait=WHOLE), tuple(checks), RunOptions()))[-1]
    assert isinstance(finished, RunFinished)
    said = [result.observation.outcome for result in finished.results]
    assert said == [Outcome.NOT_MET] * FULL_TIMEOUTS + [Outcome.UNTESTABLE] * (16 - FULL_TIMEOUTS)


def test_a_run_without_time_is_not_green() -> None:
    """A check whose request had no time is unjudged, whatever its level, and makes the run fail."""
    finished = finish(Endless(), *[Level.SHOULD] * (FULL_TIMEOUTS + 1))
    assert [result.id for result in finished.unjudged] == [f"get.n{FULL_TIMEOUTS:02}"]
    assert finished.exit is Exit.UNREACHABLE
    assert finish(Endless(), *[Level.SHOULD] * FULL_TIMEOUTS).exit is Exit.NOTHING_RAN, "all had the whole timeout"


def test_an_embedded_service_has_all_the_time_there_is() -> None:
    """An embedded service needs no real time: its endless responses get no less than the timeout, however many."""
    assert (finished := finish(Endless(), *[Level.MUST] * 16, throwaway=True)).cut == TimeoutLosses()
    assert {result.observation.instead for result in finished.unjudged} == {"a truncated response"}


def test_a_hurried_exercise_ends_at_once_and_owes_its_deletions() -> None:
    """After a shortened answer an exercise sends no further request, and what it created is in the ledger."""
    run = Run()
    run.seconds(FULL_TIMEOUTS)
    run.service.endless = lambda request, number: request.method == "POST"

    @exercise(requests=2, interactions=1)
    def goes_on(t: RequestBuilder) -> Steps:
        yield Send(t.create(input="hi"))
        return {"got": (yield Send(t.get("x")))}

    ledger = CreatedResources(INTERACTIONS)
    asked = len(run.service.asked)
    played = play(INTERACTIONS, goes_on, RequestBuilder(), run.driver, ledger)
    assert played.failure is not None
    assert "its limit was 10 s" in played.failure.reason
    assert len(run.service.asked) == asked + 1
    assert len(played.trail) == 1


def test_a_stream_that_is_left_open_is_looked_at_too() -> None:
    """A stream that we cut short while it was read is not blamed on the target, although the exercise goes on."""
    run = Run()
    run.seconds(FULL_TIMEOUTS)

    @exercise(requests=1, interactions=0)
    def leaves(t: RequestBuilder) -> Steps:
        stream = yield Open(t.get("x", stream=True))
        yield Read(stream, 5)
        return {}

    played = play(INTERACTIONS, leaves, RequestBuilder(), run.driver, CreatedResources(INTERACTIONS))
    assert played.failure is not None
    assert played.failure.outcome is Outcome.UNTESTABLE


# --- a nearby target, of which no response is waited for much longer than the others took


def nearby(answer: Callable[[Request], Response], *, may_last: Callable[[Request], bool] = is_stream) -> Any:
    """A driver to a target on this machine, whose user chose no limits."""
    budget = TimeoutBudget(WHOLE, nearby=True, may_last=may_last)
    return GovernedDriver(ServiceDriver(answer, limits=Limits().within(WHOLE)), [budget])


def test_the_first_response_of_a_nearby_target_has_twenty_seconds() -> None:
    """Nothing is known of it yet; that it was given up early proves nothing."""
    first = nearby(lambda request: endless()).send(GET)
    assert first.seconds <= FIRST + 1
    assert first.excuse == "its limit was 20 s, since it is the first response"


@pytest.mark.parametrize(("usual", "limit"), [(0.0, NEXT), (1.0, 20.0), (2.0, 40.0), (15.0, WHOLE)])
@pytest.mark.parametrize("way", ["send", "open", "together"])
def test_a_hang_is_known_by_what_the_other_responses_took(way: str, usual: float, limit: float) -> None:
    """A slow target keeps its time; of a fast one the first hang costs little, the next one hardly anything."""
    hangs: list[Request] = []
    driver = nearby(lambda request: endless() if hangs else slow(usual))
    driver.send(GET)
    hangs.append(GET)
    ways = {"open": lambda: driver.open(GET).finish(), "together": lambda: driver.together([GET])[0]}
    cut = ways.get(way, lambda: driver.send(GET))()
    assert limit - 1 <= cut.seconds <= limit + 1
    assert bool(cut.excuse) is (limit < WHOLE)
    if limit < WHOLE:
        assert f"no other one took longer than {usual:.3g} s" in cut.excuse
        assert driver.send(GET).seconds <= limit / PART + 1
    hangs.clear()
    driver.send(GET)
    hangs.append(GET)
    assert limit - 1 <= driver.send(GET).seconds <= limit + 1, "an answer that ends gives the time back"


def test_other_responses_do_not_show_how_long_a_large_request_takes() -> None:
    """A server may read each byte of a text many times, and return it in the end."""
    driver = nearby(lambda request: slow(NEXT + 5 if request.body else 0.0))
    driver.send(GET)
    large = Request("POST", "/v1beta/interactions", body=b"x" * (LARGE + 1))
    assert driver.send(large).complete
    assert not driver.send(Request("POST", "/v1beta/interactions", body=b"x")).complete


def test_the_stream_of_a_run_may_last_but_has_to_begin() -> None:
    """A run may write for long; what hangs before its first byte gets no more than another response."""
    asked: list[Send] = []

    class Noting(ServiceDriver):
        def perform(self, action: Any) -> Any:
            asked.append(action)
            return super().perform(action)

    budget = TimeoutBudget(WHOLE, nearby=True, may_last=is_stream)
    driver = GovernedDriver(Noting(lambda request: slow(0.0), limits=Limits().within(WHOLE)), [budget])
    driver.send(GET)
    driver.send(STREAM)
    assert [(action.timeout, action.head) for action in asked] == [(FIRST, None), (None, NEXT)]
    own = Attempt(GET, timeout=2.0)
    budget.before([own])
    assert (own.timeout, own.head) == (2.0, None), "a time of its own is no haste"
    grant = Attempt(STREAM)
    budget.before([grant])
    late = ServiceDriver(lambda request: endless(), limits=Limits().within(WHOLE)).send(STREAM)
    assert not budget.after(grant, late).excuse, "it had begun, and had all of its time"
    budget.before([grant])
    mute = ExchangeBuilder(STREAM).finish(Ending(By.LIMIT, How.TIMEOUT), NEXT)
    assert "its limit until the first byte was" in budget.after(grant, mute).excuse


def test_hanging_background_creates_cost_the_others_nothing() -> None:
    """A create that runs in the background is a kind of its own: others that end do not give it its time back."""
    create = Request("POST", "/v1beta/interactions", Headers(), b'{"input": "x"}')
    behind = Request("POST", "/v1beta/interactions", Headers(), b'{"input": "x", "background": true}')
    run = Run()
    run.service.endless = lambda request, number: request is behind
    for _ in range(FULL_TIMEOUTS):
        assert run.seconds(1, behind) == [WHOLE]
        run.driver.send(create)
    assert run.seconds(1, behind) == [LESS]
