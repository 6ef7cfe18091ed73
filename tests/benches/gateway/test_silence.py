"""A gateway that stops answering: how long it is tried, what is reported, and what is still judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from harness.benches.gateway import GatewayOptions, Upstream, judge_gateway
from harness.benches.gateway.run import SILENT
from harness.checks.gateway import CATALOGUE, CHECKS
from harness.checks.gateway.exercises import EXERCISES
from harness.engine.events import ExerciseStarted, RunFinished, RunStopped
from harness.engine.selection import Selection
from harness.kit.relay import RelayedExchange
from harness.outcome import Exit, Verdict
from harness.wire import At, By, Chunk, Ending, Headers, How, Pause, PieceBody, Request, Response, UntilClose
from lab.gateways import Gateway
from tests.benches.gateway.inprocess import bench_through, judged, noticing

HUNG = Ending(by=By.SERVER, how=How.STALL, at=At.BEFORE_HEADERS)
GONE = Ending(by=By.SERVER, how=How.REFUSED, at=At.BEFORE_HEADERS)


class Stops(Gateway):
    """A gateway that works for `after` requests; `asked` counts all requests."""

    asked = 0
    after = 12
    ending = HUNG

    def __call__(self, request: Request) -> Response:
        self.asked += 1
        return super().__call__(request) if self.asked <= self.after else self.last(request)

    def last(self, request: Request) -> Response:
        """The answer to every request after those."""
        return Response.dead(self.ending)


class Dies(Stops):
    """A gateway whose process ends, so that connections are refused."""

    ending = GONE


class Drips(Stops):
    """A gateway that begins each answer and never ends it."""

    def last(self, request: Request) -> Response:
        drip = (piece for _ in iter(int, 1) for piece in (Chunk(b" "), Pause(0.5)))
        return Response(200, Headers((("content-type", "application/json"),)), UntilClose(), PieceBody(drip))


class SwallowsAnswers(Stops):
    """A gateway that asks the upstream, and never passes its answer on to the client."""

    def last(self, request: Request) -> Response:
        self.upstream(request).body.close()
        return Response.dead(HUNG)


class Run(NamedTuple):
    """The gateway, the trials that were started, the last event, and where the run stopped, if it did."""

    gateway: Gateway
    trials: list[ExerciseStarted]
    finished: RunFinished
    stopped: RunStopped | None

    @property
    def passage(self) -> str:
        """The name of the first passage without an answer."""
        assert self.stopped is not None
        assert isinstance(self.stopped.evidence, RelayedExchange)
        return self.stopped.evidence.name


def run(gateway: type[Gateway], *only: str) -> Run:
    """Run the rules."""
    made: list[Gateway] = []

    def build(upstream: Callable[[Request], Response]) -> Gateway:
        made.append(gateway(upstream))
        return made[0]

    events = list(judge_gateway(bench_through(build), CATALOGUE, GatewayOptions(selection=Selection(checks=only))))
    assert isinstance(events[-1], RunFinished)
    trials = [event for event in events if isinstance(event, ExerciseStarted)]
    stopped = next((event for event in events if isinstance(event, RunStopped)), None)
    return Run(made[0], trials, events[-1], stopped)


@pytest.mark.parametrize("kind", [Stops, Dies, Drips, SwallowsAnswers])
def test_a_gateway_that_stopped_is_not_asked_for_ever(kind: type[Stops]) -> None:
    """After a few unanswered passages and an unanswered plain create, nothing more is sent."""
    ran = run(kind)
    gateway, trials, _, stopped = ran
    assert isinstance(gateway, Stops)
    assert gateway.asked == kind.after + SILENT + 1
    assert [trial.name for trial in trials] == ["idle", "slow", "watch", "plain", "cancel", "fields"]
    assert stopped is not None
    assert stopped.silent == SILENT
    assert f"{len(stopped.unfinished)} of {len(EXERCISES)} exercises not run" in stopped.reason
    assert ran.passage.startswith("fields.")
    assert {"idle", "watch", "fields", "loss"} < set(stopped.unfinished)
    assert {"plain", "cancel"}.isdisjoint(stopped.unfinished)


@pytest.mark.parametrize("status", [429, 503])
def test_a_gateway_that_limits_requests_is_named_as_such(status: int) -> None:
    """What its limit refuses shows nothing about a rule, whatever the status: the run says what to lift."""

    class Limits(Gateway):
        def __call__(self, request: Request) -> Response:
            self.asked = getattr(self, "asked", 0) + 1
            refusal = Response.json(status, b'{"error": {"code": "too_many", "message": "Later."}}')
            return super().__call__(request) if self.asked < 9 else refusal

    _, _, finished, stopped = run(Limits)
    assert stopped is not None
    assert f"the gateway itself returned {status} to the exchange " in stopped.reason
    assert stopped.reason.endswith("or pauses after errors of the upstream, lift that for this run")
    assert finished.exit is Exit.INCOMPLETE


def test_a_gateway_that_pauses_after_errors_is_judged_as_a_whole() -> None:
    """A circuit breaker refuses requests for the time of its Retry-After; then each rule has its exchanges."""

    class Breaks(Gateway):
        failures, closed_until = 0, 0.0

        def __call__(self, request: Request) -> Response:
            assert isinstance(self.upstream, Upstream)
            if self.upstream.clock.now < self.closed_until:
                later = b'{"error": {"code": "service_unavailable", "message": "Later."}}'
                return Response.json(503, later, [("retry-after", "1")])
            response = super().__call__(request)
            self.failures = self.failures + 1 if response.status >= 500 else 0
            if self.failures == 3:
                self.failures, self.closed_until = 0, self.upstream.clock.now + 1
            return response

    ran = run(Breaks)
    assert isinstance(ran.gateway, Breaks)
    assert ran.gateway.closed_until
    assert ran.stopped is None
    assert (ran.finished.exit, ran.finished.unjudged) == (Exit.OK, ())


def test_what_was_not_tried_is_not_judged() -> None:
    """Rules judged before the stop keep their verdict, all others are untestable, and the run is not green."""
    finished = run(Stops).finished
    verdicts = {result.id: result.verdict for result in finished.results}
    assert verdicts["gw.route"] is Verdict.PASS
    left = {result.id for result in finished.unjudged}
    assert left == {rule for rule, verdict in verdicts.items() if verdict is Verdict.UNTESTABLE}
    judged = {check.id for check in CHECKS} - left
    assert judged == {"gw.route"}, "a rule that wants no trial after the stop is judged, too: name it here"
    assert finished.exit is Exit.INCOMPLETE


def test_a_failure_that_is_known_stays_one() -> None:
    """A rule that was broken before the gateway stopped is still a failure."""

    class Coded(Stops):
        def relay_request(self, request: Request) -> Request:
            return Request(
                request.method, request.target.replace("include_input", "x"), request.headers, request.body
            )

    _, _, finished, stopped = run(Coded)
    verdicts = {result.id: result.verdict for result in finished.results}
    assert (verdicts["gw.query"], finished.exit) == (Verdict.FAIL, Exit.FAILED)
    assert stopped is not None


def test_the_end_of_a_run_counts_as_well() -> None:
    """A gateway that stops just before the last passages is noticed, and the rule that needs them is not met."""

    _, _, whole, unstopped = run(Gateway, "gw.once")
    assert (whole.exit, unstopped) == (Exit.OK, None)

    class StopsWithTheLast(Stops):
        after = 1 + 6 + 12  # the first create, plain, refused: without the two whose answers are lost

    ran = run(StopsWithTheLast, "gw.once")
    assert isinstance(ran.gateway, Stops)
    assert ran.stopped is not None
    assert ran.passage == "loss.json"
    assert (ran.stopped.unfinished, ran.finished.exit) == (("loss",), Exit.INCOMPLETE)


@pytest.mark.parametrize(
    ("hangs_on", "rules"),
    [(b'"stream": true', {"gw.body-fields", "gw.events"}), (b'"generation_config"', {"gw.body-fields"})],
)
def test_one_kind_of_passage_that_hangs_is_the_gateways_own_doing(hangs_on: bytes, rules: set[str]) -> None:
    class Picky(Gateway):
        def __call__(self, request: Request) -> Response:
            return Response.dead(HUNG) if hangs_on in request.body else super().__call__(request)

    _, trials, finished, stopped = run(Picky)
    assert stopped is None
    assert len(trials) == len(EXERCISES) + 3  # the three trials that span the others are reported twice
    broken = {result.id for result in finished.results if result.verdict is Verdict.FAIL}
    assert broken & rules
    assert "gw.status" not in broken | {result.id for result in finished.unjudged}
    assert finished.exit is Exit.FAILED


def test_a_must_that_had_no_answer_is_not_judged() -> None:
    """If only the passages of one MUST rule are unanswered, the rule is not judged and the run is not green."""

    class NoStreams(Gateway):
        def __call__(self, request: Request) -> Response:
            return Response.dead(HUNG) if b'"stream": true' in request.body else super().__call__(request)

    _, _, finished, stopped = run(NoStreams, "gw.utf8")
    assert stopped is None
    assert [result.id for result in finished.unjudged] == ["gw.utf8"]
    assert finished.exit is Exit.INCOMPLETE


def test_a_gateway_that_comes_back_is_judged_on() -> None:
    class Naps(Stops):
        def __call__(self, request: Request) -> Response:
            self.asked += 1
            asleep = self.asked % 12 in range(SILENT) and self.asked > self.after  # of the fields, no refusal
            return Response.dead(HUNG) if asleep else Gateway.__call__(self, request)

    results = judged(Naps, "gw.body-fields", "gw.status")
    assert "gw.body-fields" in noticing(results)
    assert results["gw.status"].verdict is Verdict.PASS
