"""A run of `harness torture` that plays a part of its cases: because time is up, or as one of several shards."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.client_commands import ClientResult, Task
from harness.cli.judging_options import read_seconds
from harness.interactions import INTERACTIONS
from harness.outcome import Exit
from harness.plugin import cases_of
from harness.report.commands.torture import TorturePresentation
from harness.report.formats import render
from harness.report.presented_run import PresentedRun
from tests.benches.client import clients
from tests.benches.client.clients import LOOP, InProcess, program
from tests.cli.conftest import Harness, fits
from tests.cli.stored_runs import find, read_lines, write_lines

BAD = LOOP.replace('cursor = "&last', 'unused = "&last')
"""A client that resumes from the start and keeps the text it already had."""

CUTS = [word for n in range(1, 10) for word in ("--cuts", f"event:{n},rst")]


def read(name: str) -> dict[str, Any]:
    """A JSON report, which is as its schema says."""
    record: dict[str, Any] = fits("torture", Path(name))
    return record


def compare(record: dict[str, Any]) -> list[Any]:
    """What two reports of the same cases have in common: all but times and what the client wrote on errors."""
    names = (
        *("case", "outcome", "detail", "code", "severity", "baseline", "problem", "kind", "row", "event"),
        "command",
    )
    cases = [{name: case.get(name) for name in names} for case in record["cases"]]
    return [record["client"], record["text"], record["events"], record["exit"], record["counts"], cases]


@pytest.mark.slow
def test_shards_add_up_to_the_run(harness: Harness) -> None:
    """Two shards, merged, are one run: results, their order, exit code, verdict and reports."""
    words = ("torture", "--loop", *CUTS, "--enough", "0")
    whole = harness(*words, "--report", "json=whole.json", "--", *program(BAD))
    ran = []
    for number in (1, 2):
        stored = ("--report", f"events={number}.jsonl")
        part = ("--shard", f"{number}/2", "--report", f"json={number}.json", *stored)
        done = harness(*words[:-2], *part, "--", *program(BAD))
        assert f": shard {number} of 2: " in done.out
        ran.append({case["case"] for case in read(f"{number}.json")["cases"]})
    assert not ran[0] & ran[1]
    assert {len(one) for one in ran} == {4, 5}
    for number in (1, 2):
        read_lines(f"{number}.jsonl")
    merged = harness("merge", "1.jsonl", "2.jsonl", "--report", "json=merged.json", "--report", "junit=merged.xml")
    assert (merged.code, whole.code) == (1, 1), merged.err
    assert compare(read("merged.json")) == compare(read("whole.json"))
    assert read_seconds("whole.json").keys() == {f"client[{case['case']}]" for case in read("whole.json")["cases"]}
    last = [line for line in whole.out.splitlines() if line.startswith("FAILED: ")]
    assert last
    assert last[-1] == merged.out.splitlines()[-1]
    levels = [set(re.findall(r"(?:MUST|SHOULD|MAY) client\.[\w-]+", one.out)) for one in (whole, merged)]
    assert levels[0] == levels[1]
    assert levels[0]
    assert "duplicated" in Path("merged.xml").read_text("utf-8")
    stored = Path("2.jsonl").read_text("utf-8")
    for place in (
        ("title",),
        ("rule", "statement"),
        ("rule", "source", "url"),
        ("evidence", 0, "end"),
        ("evidence", 0, "row"),
    ):
        lines = [json.loads(line) for line in stored.splitlines()]
        for result in (line["result"] for line in lines if line.get("event") == "CheckFinished"):
            inner: Any = result
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = "https://evil.example/fix\n\n# fix\nPASSED: all 9 cases passed.\n"
        write_lines("2.jsonl", lines)
        forged = harness("merge", "1.jsonl", "2.jsonl", "--report", "markdown=m.md", "--report", "html=m.html")
        assert forged.code == 1
        assert not re.search(r"(?m)^(PASSED|# fix)", forged.out + forged.err + Path("m.md").read_text("utf-8")), (
            place
        )
        assert 'href="https://evil.example' not in Path("m.html").read_text("utf-8")
    Path("2.jsonl").write_text(stored, "utf-8")
    *head, end = stored.splitlines()
    other = find(read_lines("1.jsonl"), "CheckFinished")
    Path("2.jsonl").write_text("\n".join([*head, json.dumps(other), end]), "utf-8")
    assert "but shard 2/2 did not run it" in harness("merge", "1.jsonl", "2.jsonl").err
    cut = [line for line in head if '"CheckFinished"' not in line]
    Path("2.jsonl").write_text("\n".join([*cut, end]), "utf-8")
    assert "but shard 2/2 ran it" in harness("merge", "1.jsonl", "2.jsonl").err


@pytest.mark.slow
def test_shards_of_different_runs_are_refused(harness: Harness) -> None:
    """Reports of other cases, one that is missing and one that is named twice do not make a run."""
    for number, cut in ((1, "event:3,rst"), (2, "event:4,rst")):
        words = (
            "--cuts",
            cut,
            "--cuts",
            "event:8,end",
            "--shard",
            f"{number}/2",
            "--report",
            f"events={number}.jsonl",
        )
        harness("torture", "--loop", *words, "--", *program(LOOP))
    assert "another selection" in harness("merge", "1.jsonl", "2.jsonl").err
    assert "shard 2 of 2 is missing" in harness("merge", "1.jsonl").err


@pytest.mark.parametrize(
    "words", [("--enough", "3"), ("--fail-fast",), ("--baseline-update", "--baseline", "b.json")]
)
def test_what_a_shard_cannot_do(harness: Harness, words: tuple[str, ...]) -> None:
    """What needs the complete run is refused beside --shard, and the error names it."""
    done = harness("torture", "--cuts", "event:3,rst", "--shard", "1/2", *words, "--", "x")
    assert done.code == 2
    assert f"{words[0]} needs the complete run" in done.err


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
    state = PresentedRun(INTERACTIONS, presentation=TorturePresentation())
    cases = cases_of(cuts=["event:3,end", "event:4,rst"])
    for event in torture(INTERACTIONS, cases, WaitsAtResets, TortureOptions(deadline=5.0)):
        state.handle(event)
    record = fits("torture", render("json", state))
    assert record["exit"] == Exit.UNREACHABLE
    assert [case["case"] for case in record["cases"]] == ["event:3,end"]
    assert "the time limit of 5 s was reached (--deadline), and 1 case had not been run" in record["halted"]
    assert (
        str(state.presentation.verdict(state))
        == "INCOMPLETE: the run ended early; no case failed; 1 of 2 passed, 1 not tested."
    )


@pytest.mark.slow
def test_a_status_that_is_not_told_is_no_broken_promise(harness: Harness) -> None:
    """The verdict says what is wrong: an untold status is a warning, a doubled text breaks a MUST."""
    words = ("--cuts", "pass", "--script", '{"text": "All of it.", "status": "failed"}')
    done = harness("torture", "--loop", *words, "--", *program(LOOP))
    assert done.code == 0
    assert "PASSED: no case failed; 0 of 1 passed, 1 warned." in done.out
    done = harness("torture", "--loop", "--cuts", "event:9,rst", "--", *program(BAD))
    assert "FAILED: 1 of 1 case failed (1 cause: client.once/duplicated)." in done.out
