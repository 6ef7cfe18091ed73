"""A terminal shows how far a run is; a log stays short, and is never silent for long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.engine.decide import Policy, decide
from harness.engine.events import (
    CheckFinished,
    ExerciseFinished,
    ExerciseStarted,
    ExerciseTimes,
    Planned,
    RunFinished,
    RunStarted,
    TargetInfo,
)
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, Finding, Observation
from harness.report.presented_run import PresentedRun
from harness.report.screen import PAUSE, Heartbeat, Line, Role, Screen, align, wrap
from harness.report.terminal_report import TerminalReport
from tests.report.golden_files import Terminal


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_log_is_silent_for_a_while_only() -> None:
    """Progress is written into a log when nothing else was for ten seconds, and then not at once again."""
    out, now = Terminal(0), Time()
    screen = Screen(out, now=now)
    screen.draw("[1/4] one")
    now.seconds = PAUSE - 1
    screen.break_silence()
    assert out.getvalue() == ""
    now.seconds = PAUSE + 2
    screen.break_silence()
    screen.break_silence()
    assert out.getvalue() == "[1/4] one (12 s so far)\n"
    screen.line("a result")
    now.seconds += PAUSE - 1
    screen.break_silence()
    assert out.getvalue().splitlines()[-1] == "a result"


def test_a_heartbeat_beats_until_it_is_stopped() -> None:
    """It calls again and again from a thread of its own, and no more after its end."""
    beats = threading.Semaphore(0)
    heartbeat = Heartbeat(beats.release, seconds=0.001)
    assert all(beats.acquire(timeout=30) for _ in range(3))
    heartbeat.stop()
    heartbeat.stop()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TerminalReport, PresentedRun, Terminal, Time]]:
    """A terminal report of a run of ten exercises that has begun."""
    monkeypatch.setenv("TERM", "xterm")
    out, now, state = Terminal(80), Time(), PresentedRun(INTERACTIONS)
    report = TerminalReport(out, state, now=now)
    for event in (RunStarted(TargetInfo(name="x", url="http://x")), Planned(20, 10)):
        state.handle(event)
        report.handle(event)
    yield report, state, out, now
    report.close()


def test_progress_has_counts_and_the_time_left(run: tuple[TerminalReport, PresentedRun, Terminal, Time]) -> None:
    """After a few exercises the progress line says how many failed, and about how long the rest takes."""
    report, _, out, now = run
    for number in range(4):
        assert "left" not in out.getvalue()
        report.handle(ExerciseStarted(f"e{number}"))
        now.seconds += 2
    rule = INTERACTIONS.load_rules()["get.ok"]
    report.handle(CheckFinished(decide(rule, Observation.of([Finding("get.ok", "no")]), Policy())))
    report.handle(ExerciseStarted("e4"))
    assert out.getvalue().endswith("[5/10] e4, 1 failed (get.ok), about 12 s left")


def test_progress_names_the_exercise_that_is_awaited_longest(
    run: tuple[TerminalReport, PresentedRun, Terminal, Time],
) -> None:
    """With several workers the line names the exercise that keeps the run waiting, not the last one that began."""
    report, _, out, _ = run
    for name in ("slow", "quick", "last"):
        report.handle(ExerciseStarted(name, ("get.ok",)))
        assert out.getvalue().endswith("/10] slow")
    report.handle(ExerciseFinished("quick", ExerciseTimes.of((), 0.1)))
    assert out.getvalue().endswith("[3/10] slow")
    report.handle(ExerciseFinished("slow", ExerciseTimes.of((), 0.2)))
    assert out.getvalue().endswith("[3/10] last")


def test_of_many_failures_only_the_worst_is_explained(
    run: tuple[TerminalReport, PresentedRun, Terminal, Time],
) -> None:
    """Each failure is a line of the list at the end, above which the worst one is explained."""
    report, state, out, _ = run
    rules = INTERACTIONS.load_rules()
    names = ("get.ok", "create.id", "stream.opens", "resume.no-gap")
    results = tuple(
        decide(rules[name], Observation.of([Finding(name, f"{name} is bad")]), Policy()) for name in names
    )
    for event in (*map(CheckFinished, results), RunFinished(results, 1.0, Exit.FAILED)):
        state.handle(event)
        report.handle(event)
    text = out.getvalue()
    explained = [line for line in text.splitlines() if line.startswith("  finding: ")]
    assert explained == ["  finding: resume.no-gap is bad"]
    assert text.index("FAILED      resume.no-gap") < text.index(explained[0])
    _, _, below = text.partition("failures, the worst first (* clients see no error):\n")
    listed = [line.split()[1].rstrip("*:") for line in below.splitlines() if line.startswith("  failed ")]
    assert listed[0] == "resume.no-gap", "a client cannot notice it"
    assert set(listed) == set(names)
    assert text.count("FAILED") == 2, "the explanation, and the verdict"


def test_the_findings_of_a_result_are_sorted_by_harm() -> None:
    """Within one result a silent breach comes before a loud one, and last what another finding caused."""
    rules = INTERACTIONS.load_rules()
    found = (
        Finding("get.ok", "a consequence", cause="resume.no-gap"),
        Finding("stream.opens", "loud"),
        Finding("resume.no-gap", "silent"),
    )
    result = decide(rules["get.ok"], Observation.of(found), Policy())
    state = replace(PresentedRun(INTERACTIONS))
    ordered = state.present(result).all_findings
    assert [finding.message for finding in ordered] == ["silent", "loud", "a consequence"]


@pytest.mark.parametrize(
    ("width", "rows"),
    [
        (60, ["one  two  three four five"]),
        (18, ["one  two  three", "          four", "          five"]),
        (14, ["one  two", "  three four", "  five"]),
    ],
)
def test_the_last_cell_goes_below_the_others_where_they_leave_no_room(width: int, rows: list[str]) -> None:
    """The last cell is in its column, or, on a terminal that is too narrow for that, below the others."""
    (line,) = align([("one", "two", "three four five")])
    assert [*wrap(line, width, line.hang)] == rows


def test_a_command_in_a_help_stays_in_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who copies it gets all of it; the words around it go into other rows."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "24")
    screen = Screen(Terminal(24))
    rows = ["help: print all:", "  `harness check x -v`", "  and more"]
    assert screen.rows(Line("help: print all: `harness check x -v` and more", Role.HELP)) == rows
