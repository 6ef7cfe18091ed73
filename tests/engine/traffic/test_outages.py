"""A target that goes away during a run: what it did not answer is not judged, and what it did answer is."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from harness.checks.catalogue import CATALOGUE
from harness.emulator import Emulator, Settings
from harness.engine.events import RunFinished
from harness.engine.plan import Selection
from harness.engine.run import RunOptions, check_target
from harness.outcome import Because, Exit, Verdict
from harness.wire import At, By, Ending, How, Request, Response, Service
from tests.engine import toys

PROBING = 40
"""More requests than a probe sends."""

REFUSED = Ending(By.SERVER, How.REFUSED, At.BEFORE_HEADERS, detail="Connection refused")
CUT = Ending(By.SERVER, How.RST, At.BEFORE_HEADERS, detail="Connection reset by peer")
ACCUSING = {Verdict.FAIL, Verdict.WARN}


@dataclass
class Mortal:
    """A service that is killed at a create, and started again, with nothing stored, `absent` requests later."""

    after: int
    absent: int
    service: Service = field(default_factory=lambda: Emulator(Settings()))
    asked: int = 0
    died_at: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> Response:
        """Answer one request, or be dead."""
        with self.lock:
            self.asked += 1
            if not self.died_at and self.asked > self.after and request.target.endswith("/interactions"):
                self.service, self.died_at = Emulator(Settings()), self.asked
                return Response.dead(CUT)
            if self.died_at and self.asked <= self.died_at + self.absent:
                return Response.dead(REFUSED)
            if request.target.startswith("/__harness__"):
                return toys.answer({"error": {"code": "not_found", "message": "no such route"}}, 404)
            return self.service(request)


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
    """A control request is answered, so the hang-up is a defect and no outage."""
    emulator = Emulator(Settings())

    def service(request: Request) -> Response:
        if request.target.startswith("/__harness__"):
            return toys.answer({"error": {"code": "not_found", "message": "no such route"}}, 404)
        return Response.dead(CUT) if b"stream" in request.body else emulator(request)

    finished = run(service, 1, "err.*", "stream.*")
    failed = {result.id for result in finished.results if result.verdict is Verdict.FAIL}
    assert "err.no-crash" in failed
    assert finished.exit is Exit.FAILED
