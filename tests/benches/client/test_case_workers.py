"""Time limits: what a client needs without a fault is no fault, and who is called hung was alone once.

No client here takes real time: each says how many seconds it took.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.cases import Case
from harness.benches.client.client_commands import ClientResult, Task
from harness.benches.client.judgement.outcome import DropOutcome, outcome_of, run_of
from harness.engine.events import CheckFinished
from harness.interactions import INTERACTIONS
from harness.plugin import cases_of
from tests.benches.client import clients
from tests.benches.client.clients import InProcess

SECONDS = 30.0
RESETS = ("event:3,rst", "event:5,rst")


class Stopwatch(InProcess):
    """A correct client that says it needed `needs(case, number)` seconds for the number-th time it does a case."""

    played: Counter[str]

    def __init__(self, needs: Callable[[str, int], float]) -> None:
        super().__init__(clients.good)
        self._needs = needs
        self.played = Counter()

    def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
        """Read, and be stopped if that is said to take longer than allowed."""
        self.played[task.case] += 1
        needed = self._needs(task.case, self.played[task.case])
        if needed > seconds + start:
            return ClientResult(stopped=f"had not ended after {seconds:g} s", seconds=seconds + start)
        return replace(super().read(task, seconds), seconds=needed)


def outcomes_of(client: InProcess, *cases: Case, jobs: int = 1) -> dict[str, DropOutcome]:
    """How one client, shared by all workers, came out of each case."""
    options = TortureOptions(jobs=jobs, seconds=SECONDS)
    events = torture(INTERACTIONS, cases, lambda: client, options)
    results = [event.result for event in events if isinstance(event, CheckFinished)]
    return {str(run_of(result).name): outcome_of(result) for result in results}


def test_the_start_of_a_client_is_not_counted() -> None:
    """A client that needs 20 s to start has its 30 s after that, and is not even played twice."""
    client = Stopwatch(lambda case, _: 20 if case == "pass" else 20 + 25)
    found = outcomes_of(client, *cases_of(cuts=list(RESETS)))
    assert set(found.values()) == {DropOutcome.RECOVERED}
    assert client.played == {"pass": 1, **dict.fromkeys(RESETS, 1)}


def test_the_start_beside_others_is_measured() -> None:
    """Several clients at once start more slowly than one alone: that, too, is not counted, once it is known."""
    measured = threading.Event()

    class Slow(Stopwatch):
        def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
            if task.case == RESETS[0]:  # its worker does not measure, and takes it at once
                assert measured.wait(20)
            elif self.played["pass"] == 2:
                measured.set()
            return super().read(task, seconds, start)

    client = Slow(lambda case, number: (2 if number == 1 else 20) if case != RESETS[1] else 20 + 25)
    found = outcomes_of(client, *cases_of(cuts=list(RESETS)), jobs=2)
    assert set(found.values()) == {DropOutcome.RECOVERED}
    assert client.played[RESETS[1]] == 1
    assert client.played["pass"] == 2


def test_one_that_was_slow_once_is_not_hung() -> None:
    """A case that ran out of time is played again, and the second time counts."""
    client = Stopwatch(lambda case, number: 99 if case == RESETS[0] and number == 1 else 1)
    found = outcomes_of(client, *cases_of(cuts=list(RESETS)))
    assert set(found.values()) == {DropOutcome.RECOVERED}
    assert client.played == {"pass": 1, RESETS[0]: 2, RESETS[1]: 1}


@pytest.mark.parametrize(
    ("kinds", "played"),
    [(("a", "a"), (2, 1)), (("a", "b"), (2, 2)), (("", ""), (2, 1))],
    ids=["one kind", "two kinds", "one ending"],
)
def test_one_that_hangs_is_said_to(kinds: tuple[str, str], played: tuple[int, int]) -> None:
    """A client that hangs both times is hung; one such case of a kind confirms it for the others."""
    client = Stopwatch(lambda case, _: 1 if case == "pass" else 99)
    cases = [replace(case, kind=kind) for case, kind in zip(cases_of(cuts=list(RESETS)), kinds, strict=True)]
    assert set(outcomes_of(client, *cases).values()) == {DropOutcome.HUNG}
    assert tuple(client.played[plan] for plan in RESETS) == played


def test_a_flood_is_not_played_again() -> None:
    """Output without end has nothing to do with time."""

    class Flood(Stopwatch):
        def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
            found = super().read(task, seconds, start)
            return found if task.case == "pass" else ClientResult(stopped="wrote too much", flooded=True)

    client = Flood(lambda case, _: 1)
    assert outcomes_of(client, *cases_of(cuts=[RESETS[0]])) == {RESETS[0]: DropOutcome.HUNG}
    assert client.played[RESETS[0]] == 1


def test_nothing_is_begun_once_the_run_is_over() -> None:
    """Who waits while a case is played again does not begin its own when the run is stopped meanwhile."""
    beside, again, stopped = threading.Event(), threading.Event(), threading.Event()
    plans = [*RESETS, "event:7,rst"]
    late: list[bool] = []

    class Stopped(Stopwatch):
        def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
            if task.case == plans[0]:
                assert beside.wait(20)
                if self.played[task.case]:
                    again.set()
                    assert stopped.wait(20)
            elif task.case == plans[1]:
                beside.set()
                again.wait(0.3)  # time for the other one to ask for being alone
            elif task.case == plans[2]:
                late.append(stopped.is_set())
            return super().read(task, seconds, start)

        def stop(self) -> None:
            stopped.set()

    client = Stopped(lambda case, number: 99 if case == plans[0] and number == 1 else 1)
    run = torture(INTERACTIONS, cases_of(cuts=plans), lambda: client, TortureOptions(jobs=2, seconds=SECONDS))
    while not isinstance(next(run), CheckFinished):
        pass
    assert again.wait(20)
    run.close()
    assert True not in late


def test_the_second_time_is_alone() -> None:
    """While a case is played again, nothing else is; what was being played before ends first."""
    lock, beside, again = threading.Lock(), threading.Event(), threading.Event()
    at_once = 0
    seen: list[int] = []

    class Busy(Stopwatch):
        def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
            nonlocal at_once
            with lock:
                at_once += 1
            try:
                if task.case == RESETS[0]:
                    if self.played[task.case]:
                        again.set()
                        seen.append(at_once)
                    assert beside.wait(20)
                elif task.case == RESETS[1]:
                    beside.set()
                    again.wait(0.3)  # as long as it plays, the other must not be played again
                return super().read(task, seconds, start)
            finally:
                with lock:
                    at_once -= 1

    client = Busy(lambda case, number: 99 if case == RESETS[0] and number == 1 else 1)
    found = outcomes_of(client, *cases_of(cuts=list(RESETS)), jobs=2)
    assert set(found.values()) == {DropOutcome.RECOVERED}
    assert seen == [1]
