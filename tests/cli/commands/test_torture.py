"""Tests of `harness torture`: its output, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import re
import shlex
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.benches.client.client_commands import Task
from harness.cli.commands.torture import TortureArguments, environment_of, new_client
from harness.faults import parse
from tests.benches.client.cases import cases_of_set, new_case
from tests.benches.client.clients import LOOP, ONE_SHOT, program
from tests.cli.conftest import Harness

BAD = ONE_SHOT.replace('cursor = "&last', 'unused = "&last')
"""A client that resumes from the start and keeps the text it already had."""


def test_the_help_counts_the_cases_of_each_set() -> None:
    """The figures are those of the usual text; a half of a character is cut only where an event has one."""
    told = str(TortureArguments.__dataclass_fields__["set"].metadata)
    figures = {name: int(many) for name, many in re.findall(r"(\w+) \((\d+)", told)}
    sets = {name: cases_of_set(name, new_case()) for name in figures}
    assert figures == {name: len(cases) for name, cases in sets.items()}
    halves = [case.plan for case in sets["standard"] if "utf8" in case.plan]
    assert halves == ["utf8:8,end", "utf8:9,end", "utf8:8,rst", "utf8:9,rst"]


@pytest.mark.slow
def test_a_client_that_survives(harness: Harness) -> None:
    """A client that survives exits with 0 and is reported case by case, with a conclusion."""
    done = harness("torture", "--cuts", "event:3,rst", "--cuts", "event:8,end", "--", *program(ONE_SHOT))
    assert done.code == 0, done.err
    assert "outcomes: 2 recovered" in done.out
    assert done.out.splitlines()[-1] == "PASSED: all 2 cases passed."


@pytest.mark.slow
def test_a_client_that_does_not(harness: Harness) -> None:
    """Each kind of failure is shown once, with reason, wire, standard error and a command that repeats it."""
    done = harness("torture", "--cuts", "event:9,rst", "--cuts", "event:8,rst", "--", *program(BAD))
    assert done.code == 1
    assert "FAILED      client.once/duplicated [MUST] the client has the text from event" in done.out
    assert "2 cases (duplicated): event:9,rst, event:8,rst" in done.out
    assert "twice: it requested the stream from the start again, and kept its earlier output" in done.out
    assert re.search(
        r"-> GET /v1beta/interactions/\S+ \(\d+\)\?stream=true\n.*<- 200, 9 events, .* reset the connection",
        done.out,
    )
    assert "!! event:9,rst" in done.out
    assert "=> the client reports" in done.out
    assert "dropped: " in done.out
    line = next(line for line in done.out.splitlines() if "this case alone:" in line)
    assert "harness torture --cuts event:9,rst -- " in line


@pytest.mark.slow
def test_the_reproduction_reproduces(harness: Harness) -> None:
    """The command that repeats a case, in each format, is run: it has all of the options that matter."""
    options = (
        "--event-ids", "none", "--resume", "inclusive", "--loop", "--timeout", "70", "--strict",
        "--script", json.dumps({"text": "Say it's so, twice.", "deltas": 5, "status": "incomplete"}),
    )  # fmt: skip
    words = ("--cuts", "event:7,rst", "--cuts", "pass", *options, "--report", "junit=x.xml")
    Path("client.py").write_text(LOOP, encoding="utf-8")
    done = harness("torture", *words, "--", sys.executable, "-I", "-S", "client.py")
    assert done.code == 1
    line = re.search(r"this case alone: harness (.*)", done.out)
    (failure,) = ET.parse("x.xml").getroot().iter("failure")
    in_report = re.search(r"this case alone: harness (.*)", failure.text or "")
    assert line is not None
    assert in_report is not None
    assert in_report[1] == line[1]
    again = harness(*shlex.split(line[1]))
    assert again.code == 1
    assert "outcomes: 1 duplicated" in again.out
    rows = [[row for row in out.splitlines() if " <- " in row] for out in (again.out, done.out)]
    assert rows[0] == rows[1][: len(rows[0])]


@pytest.mark.slow
def test_giving_up_is_a_warning(harness: Harness) -> None:
    """A client that reports its failure breaks no promise; with --strict, it has to recover."""
    source = ONE_SHOT.replace("range(5)", "range(1)")
    words = ("--cuts", "event:3,rst", "--", *program(source))
    done = harness("torture", *words)
    assert (done.code, "outcomes: 1 reported" in done.out) == (0, True)
    assert done.out.splitlines()[-1] == "PASSED: no case failed; 0 of 1 passed, 1 warned."
    assert harness("torture", "--strict", *words).code == 1


@pytest.mark.slow
def test_fail_fast(harness: Harness) -> None:
    """With --fail-fast, the first failure ends the run, and the cases not run are counted."""
    done = harness("torture", "--fail-fast", "-j", "1", "--endings", "rst", "--", *program(BAD))
    assert done.code == 1
    assert re.search(r"^outcomes: .*1 duplicated$", done.out, re.MULTILINE)
    assert re.search(r": 1 failed, 7 passed, 7 excluded\.", done.out)


def test_dry_run(harness: Harness) -> None:
    """--dry-run lists the cases as plans and runs nothing."""
    done = harness("torture", "--dry-run", "--endings", "fin", "--", "/no/such/command")
    assert done.code == 0
    plans = [str(parse(line)) for line in done.out.splitlines()]
    assert plans[:2] == ["event:0,fin", "event:1,fin"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name the client to torture"),
        (("--",), "nothing follows `--`"),
        (("--cuts", "everywhere", "--", "x"), "neither one of every-event, structural, every-byte nor a plan"),
        (("--cuts", "event:3", "--", "x"), "this names the place, not the ending"),
        (("--endings", "rst,bang", "--", "x"), "--endings: 'bang' is not known; known are fin, rst"),
        (("--endings", ",", "--", "x"), "--endings is empty: name one or more of fin"),
        (("--event-ids", "some", "--", "x"), "--event-ids: 'some' is not known; known are all, deltas"),
        (("--cassette", "no.yaml", "--", "x"), "no.yaml"),
        (("--set", "standart", "--", "x"), "did you mean 'standard'"),
        (("-c", "resets", "--", "x"), "did you mean 'reset'"),
        (
            ("--set", "quick", "--cuts", "event:3,rst", "--", "x"),
            "--set and --cuts or --endings both select cases",
        ),
        (("--script", "{", "--", "x"), "is not a JSON object"),
        (("--script", '{"txt": "a"}', "--", "x"), "a script has no key 'txt'"),
        (("--scenario", "no.yaml", "--", "x"), "no.yaml"),
        (("--enough", "-1", "--", "x"), "--enough"),
        (("--cassette", "no.yaml", "--script", "{}", "--", "x"), "--script and --cassette both define the stream"),
        (("--", "/no/such/command"), "cannot run '/no/such/command'"),
    ],
)
def test_usage(harness: Harness, words: tuple[str, ...], said: str) -> None:
    """Each mistake exits with 2 and says what was given, why it is wrong and what to do."""
    done = harness("torture", *words)
    assert (done.code, said in done.err) == (2, True), done.err


def test_a_client_in_python_writes_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would write the encoding of the machine: a code page on Windows, ASCII in the locale C."""
    for name, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(name, value)
    client = new_client([sys.executable, "-c", f"print({(text := 'déjà vu, 東京')!a})"], loop=False)()
    assert client.read(Task("http://127.0.0.1:1", "v1_x", "case", "follow"), 60).collected == text


def test_no_real_key_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's environment names the case and contains none of the user's keys."""
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-the-users-own")
    monkeypatch.setenv("GOOGLE_API_KEY", "AIza-another")
    found = environment_of(Task("http://127.0.0.1:1/case1", "v1_x", "event:3,rst", "follow"))
    assert "AIza" not in str(found)
    assert found["GOOGLE_GEMINI_BASE_URL"] == "http://127.0.0.1:1/case1"
    assert (found["INTERACTION_ID"], found["HARNESS_CASE"]) == ("v1_x", "event:3,rst")
