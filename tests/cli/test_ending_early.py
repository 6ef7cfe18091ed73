"""A run that ends before it is through says what it left out, writes its reports and cleans up after itself."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.outcome import Exit
from tests.cli.conftest import PATIENCE, Harness, fits, start
from tests.foreign.rows import vary
from tests.foreign.server import ForeignService, Run, serving
from tests.transport.peers import until

pytestmark = pytest.mark.slow

SELECTED = "create.ok,bg.*,cancel.*,resume.*"


def accounted(report: dict[str, Any]) -> dict[str, int]:
    """The numbers of a report that fits its schema, by outcome; they add up to all checks."""
    totals: dict[str, int] = dict(fits("check", report)["accounting"]["totals"])
    del totals["in_baseline"]
    assert totals.pop("total") == sum(totals.values()) == len(report["checks"])
    return totals


def test_a_run_that_settles_never_ends_at_the_deadline(harness: Harness, tmp_path: Path) -> None:
    """With runs that never settle the run ends in time, names what it left out, and deletes what it made."""
    service = vary(ForeignService, lasts=1e9)()
    with serving(service) as url:
        done = harness(
            "check", url, "--deadline", "6", "-c", SELECTED, "--report", f"json={tmp_path}/r.json", "--report",
            f"junit={tmp_path}/r.xml",
        )  # fmt: skip
    assert done.code == Exit.INCOMPLETE
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert report["seconds"] < 60
    assert accounted(report)["not_tested"] > 5
    assert "the run ended early: the time limit was reached (--deadline)" in done.out
    assert "MUST checks were not tested (" in done.out
    assert done.out.splitlines()[-1].startswith("INCOMPLETE: the run ended early; ")
    properties = {item.get("name"): item.get("value") for item in ET.parse(tmp_path / "r.xml").iter("property")}
    assert properties["harness.verdict"] == report["accounting"]["verdict"] == done.out.splitlines()[-1]
    assert service.runs == {}


class Busy(ForeignService):
    """Its background runs never settle; `busy` is set when the run of the harness is well under way."""

    lasts = 1e9

    def __init__(self) -> None:
        super().__init__()
        self.busy = threading.Event()


class Watched(Busy):
    """It is busy after some creates."""

    def prepare(self, run: Run) -> None:
        if self.made > 6:
            self.busy.set()


def interrupt(
    words: Sequence[str],
    busy: Callable[[subprocess.Popen[str]], object],
    number: signal.Signals = signal.SIGINT,
    program: Sequence[str] = ("-m", "harness"),
) -> str:
    """What a command prints that gets a signal once it is busy; its exit code says that it was interrupted."""
    with start(*words, program=program) as process:
        assert busy(process)
        os.kill(process.pid, number)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == Exit.INTERRUPTED
    return out


def says(line: str) -> Callable[[subprocess.Popen[str]], bool]:
    """Whether a command has printed this line; waits for it."""
    return lambda process: process.stdout is not None and line in iter(process.stdout.readline, "")


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_ctrl_c_writes_the_reports(jobs: str, tmp_path: Path) -> None:
    """An interrupted run exits with 130 at once; its reports hold what was judged, and nothing is left behind."""
    service, report = Watched(), tmp_path / "r.json"
    with serving(service) as url:
        words = ["check", url, "-j", jobs, "--report", f"json={report}"]
        out = interrupt(words, lambda _: service.busy.wait(PATIENCE))
    value = json.loads(report.read_text("utf-8"))
    assert accounted(value)["not_tested"] > 100
    assert out.splitlines()[-1].startswith("INTERRUPTED: ")
    unnamed = [run for run in service.runs if not any(path.endswith(run) for path in value["leftovers"])]
    assert len(unnamed) <= int(jobs), "nothing is left without a word but what a worker was still waiting for"
    assert len(service.runs) < 10, (
        "a slow machine may end the clean-up before its end, but not before its beginning"
    )


class HalfAnswers(Busy):
    """Answers five of the creates that are sent together, and three of them never."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = itertools.count(1)

    def admit(self, body: dict[str, Any]) -> None:
        super().admit(body)
        if any(word in str(body["input"]) for word in ("hazel", "juniper", "linden")):
            is_last = next(self.waiting) == 3
            while not self.closed.wait(0.01):
                if is_last and len(self.runs) >= 5:
                    self.busy.set()
            raise ConnectionAbortedError("the server was shut down")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_loses_no_answer_of_several(jobs: str) -> None:
    """Of creates that were sent together, those that were answered are deleted; the others are not waited for."""
    service = HalfAnswers()
    with serving(service) as url:
        words = ["check", url, "-c", "rob.concurrent,get.unknown", "-j", jobs]
        out = interrupt(words, lambda _: service.busy.wait(PATIENCE))
        assert out.splitlines()[-1].startswith("INTERRUPTED: ")
        assert len(service.deleted) >= 5
        assert service.runs == {}


class Endless(Busy):
    """Background runs stream for ever; it is busy when the stream of a create is read."""

    def events(self, run: Run) -> Iterator[tuple[float, dict[str, Any]]]:
        for number, event in enumerate(super().events(run)):
            if number == 1 and run.body.get("background") and run.body.get("stream"):
                self.busy.set()
            yield event


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_what_is_read(jobs: str) -> None:
    """A stream without an end is hung up, and its run is deleted."""
    service = Endless()
    with serving(service) as url:
        words = ["check", url, "-c", "stream.*,get.unknown", "--timeout", "5", "-j", jobs]
        interrupt(words, lambda _: service.busy.wait(PATIENCE))
        assert service.runs == {}


NEVER_READY = """
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""
"""A client that tells when it was started, and never ends."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_the_first_run_of_a_client(number: signal.Signals, tmp_path: Path) -> None:
    """Before the client has read the stream without a fault, totals and reports say that no case was played."""
    started, page = tmp_path / "started", tmp_path / "r.html"
    reports = [f"--report={name}={tmp_path}/r.{name}" for name in ("json", "junit", "html", "markdown", "badge")]
    words = ["torture", "--cuts", "event:3,rst", *reports, "--", sys.executable, "-c", NEVER_READY, str(started)]
    out = interrupt(words, lambda _: until(started.exists) or True, number)
    value = fits("torture", tmp_path / "r.json")
    assert value["cases"] == []
    assert "interrupted" in value["halted"]
    assert "the run ended early: it was interrupted" in out
    assert out.splitlines()[-1].startswith("INTERRUPTED: ")
    assert "interrupted" in page.read_text("utf-8")
