"""A run of `harness torture` that plays a part of its cases: because time is up."""

from __future__ import annotations

import threading

import pytest

from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.client_commands import ClientResult, Task
from harness.cli.output import render
from harness.interactions.clients import CLIENTS
from harness.outcome import Exit
from harness.plugin import cases_of
from harness.report.commands.torture import TortureRun
from tests.benches.client import clients
from tests.benches.client.clients import LOOP, InProcess, program
from tests.cli.conftest import Harness, fits

BAD = LOOP.replace('cursor = "&last', 'unused = "&last')
"""A client that resumes from the start and keeps the text it already had."""


class WaitsAtResets(InProcess):
    """A client that hangs at a reset until it is stopped."""

    def __init__(self) -> None:
        super().__init__(clients.good)
        self._stopped = threading.Event()

    def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
        """Read the stream, or wait."""
        if "rst" in task.case:
            self._stopped.wait()
            return ClientResult(stopped="was stopped")
        return super().read(task, seconds)

    def stop(self) -> None:
        """End the waiting."""
        self._stopped.set()

    close = stop


@pytest.mark.slow
def test_time_is_up() -> None:
    """A run whose time is up says what was not played, and is not green, though nothing failed."""
    state = TortureRun(CLIENTS)
    cases = cases_of(cuts=["event:3,end", "event:4,rst"])
    for event in torture(CLIENTS, cases, WaitsAtResets, TortureOptions(deadline=5.0)):
        state.handle(event)
    record = fits("torture", render("json", state))
    assert record["exit"] == Exit.INCOMPLETE
    assert [case["case"] for case in record["cases"]] == ["event:3,end"]
    assert "the time limit of 5 s was reached (--deadline), and 1 case had not been run" in record["halted"]
    assert str(state.verdict) == "INCOMPLETE: the run ended early; no case failed; 1 of 2 passed, 1 not tested."


@pytest.mark.slow
def test_a_status_that_is_not_told_is_no_broken_promise(harness: Harness) -> None:
    """The verdict says what is wrong: an untold status is a warning, a doubled text breaks a MUST."""
    words = ("--cuts", "pass", "--script", '{"text": "All of it.", "status": "failed"}')
    done = harness("torture", "--loop", *words, "--", *program(LOOP))
    assert done.code == 0
    assert "PASSED: no case failed; 0 of 1 passed, 1 warned." in done.out
    done = harness("torture", "--loop", "--cuts", "event:9,rst", "--", *program(BAD))
    assert "FAILED: 1 of 1 case failed (1 cause: client.once/duplicated)." in done.out
