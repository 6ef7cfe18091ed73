"""A run against a gateway that ends before it is through: time is up, or somebody interrupts."""

from __future__ import annotations

import signal
from collections.abc import Sequence

import pytest

from harness.benches.gateway import GatewayOptions, judge_gateway
from harness.checks.gateway import CATALOGUE
from harness.engine.events import RunFinished
from harness.engine.traffic.deadline import Deadline, Timer
from harness.engine.traffic.governed_driver import Attempt, DriverPolicy, GovernedDriver
from harness.outcome import Exit, Verdict
from tests.benches.gateway.inprocess import bench_through


class After(DriverPolicy):
    """Does something before the request of a number."""

    def __init__(self, number: int, act: object) -> None:
        self.left = number
        self.act = act

    def before(self, attempts: Sequence[Attempt]) -> float:
        self.left -= 1
        if self.left == 0:
            self.act()  # type: ignore[operator]
        return 0.0


def ended(policy: After, timer: Timer) -> RunFinished:
    """How a run ends with these policies."""
    bench = bench_through()
    bench.driver = GovernedDriver(bench.driver, [policy, Deadline(timer, 30.0)])
    *_, finished = judge_gateway(bench, CATALOGUE, GatewayOptions())
    assert isinstance(finished, RunFinished)
    return finished


def test_at_the_deadline_what_passed_is_judged() -> None:
    """Rules whose exchanges were made are judged, the others are not tried, and the run is not green."""
    timer = Timer(None)
    finished = ended(After(12, timer.end), timer)
    assert finished.halted.startswith("the time limit was reached (--deadline)")
    assert finished.exit is Exit.UNREACHABLE
    verdicts = {result.verdict for result in finished.results}
    assert {Verdict.PASS, Verdict.UNTESTABLE} <= verdicts
    assert Verdict.FAIL not in verdicts
    assert len(finished.results) == len(CATALOGUE.checks)


@pytest.mark.parametrize("number", [3, 30])
def test_an_interrupt_keeps_what_is_known(number: int) -> None:
    """Ctrl-C ends the trials; the rest is judged and the exit code says that somebody interrupted."""
    finished = ended(After(number, lambda: signal.raise_signal(signal.SIGINT)), Timer(None))
    assert (finished.exit, finished.halted) == (Exit.INTERRUPTED, "it was interrupted")
    assert Verdict.FAIL not in {result.verdict for result in finished.results}
    assert len(finished.results) == len(CATALOGUE.checks)


def test_without_either_the_run_goes_through() -> None:
    """A deadline that is not reached changes nothing."""
    finished = ended(After(0, lambda: None), Timer(600))
    assert (finished.exit, finished.halted) == (Exit.OK, "")
