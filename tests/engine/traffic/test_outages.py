"""A target that goes away during a run: what it did not answer is not judged, and what it did answer is."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from harness.checks.catalogue import CATALOGUE
from harness.emulator import Emulator, Settings
from harness.engine.events import RunFinished
from harness.engine.plan import Selection
from harness.engine.run import RunOptions, check_target
from harness.engine.traffic.outages import Outages
from harness.outcome import Because, Exit, Verdict
from harness.report.accounting import account_for, conclude_checks
from harness.wire import At, By, Ending, Exchange, ExchangeBuilder, How, Request, Response, Service
from tests.engine import toys

PROBING = 40
"""More requests than a probe sends."""

REFUSED = Ending(By.SERVER, How.REFUSED, At.BEFORE_HEADERS, detail="Connection refused")
CUT = Ending(By.SERVER, How.RST, At.BEFORE_HEADERS, detail="Connection reset by peer")
ACCUSING = {Verdict.FAIL, Verdict.WARN}


@dataclass
class Mortal:
    """A service that is killed, and started again, with nothing stored, `absent` requests later.

    It is killed once, at a create after so many requests; with a `poison`, by each request that holds it.
    """

    after: int
    absent: int
    poison: bytes = b""
    service: Service = field(default_factory=lambda: Emulator(Settings()))
    asked: int = 0
    died_at: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> Response:
        """Answer one request, or be dead."""
        with self.lock:
            self.asked += 1
            if self._dies_of(request):
                self.service, self.died_at = Emulator(Settings()), self.asked
                return Response.dead(CUT)
            if self.died_at and self.asked <= self.died_at + self.absent:
                return Response.dead(REFUSED)
            if request.target.startswith("/__harness__"):
                return toys.answer({"error": {"code": "not_found", "message": "no such route"}}, 404)
            return self.service(request)

    def _dies_of(self, request: Request) -> bool:
        if self.died_at and self.asked <= self.died_at + self.absent:
            return False
        if self.poison:
            return self.poison in request.body
        return not self.died_at and self.asked > self.after and request.target.endswith("/interactions")


def run(service: Service, jobs: int = 1, *globs: str) -> RunFinished:
    """What a run found that judges by the checks that match."""
    chosen = Selection(checks=globs or ("get.*", "chain.*", "tool.*", "err.no-crash"))
    options = RunOptions(selection=chosen, jobs=jobs)
    finished = list(check_target(toys.toy_target(cast(Any, service)), CATALOGUE, options))[-1]
    assert isinstance(finished, RunFinished)
    return finished


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_target_that_dies_is_accused_of_nothing(jobs: int) -> None:
    """What had no answer is not judged, no create crashed it for certain, and the run is not green."""
    finished = run(Mortal(PROBING, 10_000), jobs)
    assert [result.id for result in finished.results if result.verdict in ACCUSING] == []
    unanswered = {result.id for result in finished.results if result.observation.because is Because.NO_ANSWER}
    assert "err.no-crash" in unanswered
    assert len(unanswered) > 5
    assert any(result.verdict is Verdict.PASS for result in finished.results)
    assert finished.exit is Exit.UNREACHABLE


def test_a_restart_costs_only_what_it_interrupted() -> None:
    """Of a target that forgets all at a restart nothing is said to be lost, and later checks are judged."""
    service = Mortal(PROBING, 2)
    finished = run(service)
    assert [result.id for result in finished.results if result.verdict in ACCUSING] == []
    unanswered = [result.id for result in finished.results if result.observation.because is Because.NO_ANSWER]
    assert "err.no-crash" in unanswered
    assert any(result.id.startswith("tool.") and result.verdict is Verdict.PASS for result in finished.results)
    assert service.asked > service.died_at + 20
    assert finished.exit is Exit.UNREACHABLE


def test_who_hangs_up_at_one_kind_of_request_and_lives_on_is_accused() -> None:
    emulator = Emulator(Settings())

    def service(request: Request) -> Response:
        if request.target.startswith("/__harness__"):
            return toys.answer({"error": {"code": "not_found", "message": "no such route"}}, 404)
        return Response.dead(CUT) if b"stream" in request.body else emulator(request)

    finished = run(service, 1, "err.*", "stream.*")
    failed = {result.id for result in finished.results if result.verdict is Verdict.FAIL}
    assert "err.no-crash" in failed
    assert finished.exit is Exit.FAILED


DEEP = b"[" * 200


def test_who_dies_of_a_request_twice_is_accused_of_it() -> None:
    """What the target got last is sent again, alone, between two that do no harm; wrong ones count, too."""
    service = Mortal(0, 2, poison=DEEP)
    finished = run(service, 1, "rob.deep-json", "err.no-crash", "get.ok")
    crash = next(result for result in finished.results if result.id == "err.no-crash")
    assert (crash.verdict, finished.exit) == (Verdict.FAIL, Exit.FAILED)
    assert [finding.stable_code for finding in crash.observation.findings] == ["err.no-crash/died"]
    assert "nested 10,001 deep" in crash.observation.findings[0].message
    first, before, again, after = (cast(Exchange, shown) for shown in crash.evidence)
    assert (first.request, before.request) == (again.request, after.request)
    assert before.status == 404  # the control API is the first thing that is asked for
    assert again.status is after.status is None
    assert finished.holes == ()


@pytest.mark.parametrize("jobs", [1, 4])
def test_who_is_stopped_by_somebody_else_is_not_accused(jobs: int) -> None:
    """It comes back, and lives through what it got last: an outage."""
    service = Mortal(PROBING, 2)
    finished = run(service, jobs)
    assert "err.no-crash" in {r.id for r in finished.results if r.observation.because is Because.NO_ANSWER}
    assert not [result.id for result in finished.results if result.verdict in ACCUSING]
    assert (finished.exit, finished.holes) == (Exit.UNREACHABLE, ())


def test_who_never_comes_back_is_told_first_with_what_it_got_last() -> None:
    """Though nothing fails and the last check is judged, the run is not green, and says what was sent."""
    finished = run(Mortal(0, 10_000, poison=DEEP), 1, "rob.deep-json", "get.ok")
    assert finished.exit is Exit.UNREACHABLE
    (hole,) = finished.holes
    told = r"the target stopped responding at \d+\.\d s; its last request was POST /v1beta/interactions "
    assert re.fullmatch(told + r"with a body of 20,0\d\d bytes that is nested 10,001 deep", hole)
    assert [lost.status for lost in finished.lost] == [None]
    assert str(conclude_checks(finished, account_for(finished.results, "check"))).startswith(
        f"INCOMPLETE: {hole}; "
    )


def test_what_was_sent_to_a_dying_target_is_no_suspect() -> None:
    """What was sent after another request had been cut off was not the end of the target; what was open may be."""
    outages = Outages()
    for target, began, seconds, ending in (
        ("/beside", 1.0, 2.0, CUT),
        ("/deadly", 2.0, 0.5, CUT),
        ("/late", 2.6, 0.1, CUT),
        ("/never", 2.8, 0.0, REFUSED),
    ):
        exchange = ExchangeBuilder(Request("GET", target), began=began).finish(ending, seconds)
        outages.after(cast("Any", None), exchange)
    assert outages.gone is not None
    assert [exchange.request.target for exchange in outages.gone.suspects] == ["/deadly", "/beside"]
