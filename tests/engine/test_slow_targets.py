"""A target that takes seconds for each answer: time goes to what tells most, on a counted clock."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from harness.checks.catalogue import CATALOGUE
from harness.emulator import Emulator, Settings
from harness.engine.events import Probed, RunFinished
from harness.engine.run import RunOptions, check_target
from harness.engine.traffic import deadline
from harness.kit.api import Lack
from harness.outcome import Accounted, Because, Level, Verdict
from harness.wire import Request, Response, Service
from tests.engine import toys

DEADLINE = 90.0


@dataclass
class Clock:
    """A clock that moves by the seconds that each answer takes."""

    seconds: float
    now: float = 0.0

    def slow_down(self, service: Service) -> Service:
        """The service without a control API, each answer of which takes its time."""

        def answer(request: Request) -> Response:
            self.now += self.seconds
            if request.target.startswith("/__harness__"):
                return toys.answer({"error": {"code": "not_found", "message": "no such route"}}, 404)
            return service(request)

        return answer


def run(seconds: float, monkeypatch: pytest.MonkeyPatch) -> tuple[Probed, RunFinished, Clock]:
    """What a run found that had 90 s, and the clock at its end."""
    clock = Clock(seconds)
    monkeypatch.setattr(deadline, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    target = toys.toy_target(clock.slow_down(Emulator(Settings())))
    events = list(check_target(target, CATALOGUE, RunOptions(deadline=DEADLINE)))
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    return next(event for event in events if isinstance(event, Probed)), finished, clock


def test_a_slow_target_is_judged_by_what_tells_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """At two seconds an answer, a dozen MUSTs and more are judged in 90 s, and the rest is accounted for."""
    _, finished, clock = run(2.0, monkeypatch)
    musts = [result for result in finished.results if result.rule.level is Level.MUST]
    judged = {result.id: result.outcome for result in musts if result.judged}
    assert len(judged) >= 12
    assert Accounted.FAILED not in judged.values()
    assert {"create.ok", "get.ok", "stream.json"} <= judged.keys()
    assert len(finished.results) == len(CATALOGUE)
    assert finished.halted
    assert clock.now < DEADLINE + 5 * 2.0


def test_what_there_was_no_time_to_ask_is_not_said_to_be_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capability that nobody asked about is no refusal: its checks were not run, and more time would do it."""
    probed, finished, _ = run(2.0, monkeypatch)
    unasked = {item.name for item in probed.capabilities if item.lack is Lack.UNASKED and not item.present}
    assert "files" in unasked
    files = [result for result in finished.results if result.id.startswith("file.")]
    assert {result.verdict for result in files} == {Verdict.NOT_RUN}
    assert {result.observation.because for result in files} == {Because.OUR_LIMIT}


@pytest.mark.slow
def test_a_fast_target_is_asked_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where answers come at once, every question is asked, and checks run in the order of the catalogue."""
    probed, finished, _ = run(0.01, monkeypatch)
    assert Lack.UNASKED not in {item.lack for item in probed.capabilities if not item.present}
    assert not finished.halted
