"""Tests of `harness torture`: its output, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest

from harness.benches.client.client_commands import Task
from harness.cli.commands.torture import environment_of
from harness.faults import parse
from harness.resources import folder
from tests.benches.client.clients import LOOP, ONE_SHOT, program
from tests.cli.conftest import Harness

BAD = ONE_SHOT.replace('cursor = "&last', 'unused = "&last')
"""A client that resumes from the start and keeps the text it already had."""


def test_a_client_that_survives(harness: Harness) -> None:
    """A client that survives exits with 0 and is reported case by case, with a conclusion."""
    done = harness("torture", "--cuts", "event:3,rst", "--cuts", "event:8,end", "--", *program(ONE_SHOT))
    assert done.code == 0, done.err
    assert "2 cases: 2 exact" in done.out
    assert "the client survives every drop that was tried" in done.out


def test_a_client_that_does_not(harness: Harness) -> None:
    """Each kind of failure is shown once, with reason, wire, standard error and a command that repeats it."""
    done = harness("torture", "--cuts", "event:9,rst", "--cuts", "event:8,rst", "--", *program(BAD))
    assert done.code == 1
    assert "WRONG (2 cases) dropped at event:9,rst, the client has the text from event" in done.out
    assert "twice: it asked for the stream from the start again" in done.out
    assert "GET stream → 9 events, rst" in done.out
    assert "dropped: " in done.out
    line = next(line for line in done.out.splitlines() if "this one alone:" in line)
    assert "harness torture --cuts event:9,rst -- " in line


def test_the_reproduction_reproduces(harness: Harness) -> None:
    """The command that repeats a case has all of its settings."""
    words = ("--cuts", "event:9,rst", "--event-ids", "none", "--resume", "inclusive", "--", *program(ONE_SHOT))
    done = harness("torture", *words)
    assert done.code == 1
    assert "harness torture --cuts event:9,rst --event-ids none --resume inclusive -- " in done.out


def test_json(harness: Harness) -> None:
    """--json prints the whole result in the published form and nothing else on standard output."""
    done = harness("torture", "--json", "--loop", "--cuts", "event:3,rst", "--", *program(LOOP))
    value = json.loads(done.out)
    jsonschema.validate(value, json.loads((folder("schemas") / "output/torture.schema.json").read_text("utf-8")))
    assert (done.code, value["exit"], value["counts"]["exact"]) == (0, 0, 1)
    assert value["cases"][0]["plan"] == "event:3,rst"


def test_reports(harness: Harness) -> None:
    """The JUnit report has a suite for each ending, a case for each cut, and the text from the terminal."""
    files = ("--report", "junit=x.xml", "--report", "json=x.json", "--report", "junit=again.xml")
    done = harness("torture", "--cuts", "event:9,rst", "--cuts", "event:1,rst", *files, "--", *program(BAD))
    suite = ET.parse("x.xml").getroot().find("testsuite")
    assert suite is not None
    assert (done.code, suite.get("name"), suite.get("tests")) == (1, "torture.rst", "2")
    cases = {case.get("name"): case for case in suite}
    (failure,) = cases["event:9,rst"]
    assert (failure.tag, failure.get("type")) == ("failure", "wrong")
    assert "twice" in failure.get("message", "")
    assert "harness torture --cuts event:9,rst -- " in (failure.text or "")
    assert json.loads(Path("x.json").read_text("utf-8"))["exit"] == 1
    assert Path("again.xml").read_text("utf-8") == Path("x.xml").read_text("utf-8")


def test_giving_up_may_be_allowed(harness: Harness) -> None:
    """With --allow-giving-up, a client passes if it reports its own failure."""
    source = ONE_SHOT.replace("range(5)", "range(1)")
    words = ("--cuts", "event:3,rst", "--", *program(source))
    assert harness("torture", *words).code == 1
    done = harness("torture", "--allow-giving-up", *words)
    assert (done.code, "1 gave-up" in done.out) == (0, True)


def test_fail_fast(harness: Harness) -> None:
    """With --fail-fast, the first failure ends the run, and the cases not run are counted."""
    done = harness("torture", "--fail-fast", "-j", "1", "--endings", "rst", "--", *program(BAD))
    assert done.code == 1
    assert " 1 wrong, " in done.out
    assert " not run in " in done.out


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
        (("--cuts", "event:3", "--", "x"), "this says where, not how it ends"),
        (("--endings", "rst,bang", "--", "x"), "--endings: 'bang' is none of fin, rst"),
        (("--endings", ",", "--", "x"), "--endings names none of"),
        (("--event-ids", "some", "--", "x"), "--event-ids: 'some' is none of all, deltas"),
        (("--cassette", "no.yaml", "--", "x"), "no.yaml"),
        (("--cassette", "no.yaml", "--text", "t", "--", "x"), "leave --text and --event-ids out"),
        (("--", "/no/such/command"), "cannot run '/no/such/command'"),
    ],
)
def test_usage(harness: Harness, words: tuple[str, ...], said: str) -> None:
    """Each mistake exits with 2 and says what was given, why it is wrong and what to do."""
    done = harness("torture", *words)
    assert (done.code, said in done.err) == (2, True), done.err


def test_no_real_key_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's environment names the case and contains none of the user's keys."""
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-the-users-own")
    monkeypatch.setenv("GOOGLE_API_KEY", "AIza-another")
    found = environment_of(Task("http://127.0.0.1:1/case1", "v1_x", "event:3,rst"))
    assert "AIza" not in str(found)
    assert found["GOOGLE_GEMINI_BASE_URL"] == "http://127.0.0.1:1/case1"
    assert (found["INTERACTION_ID"], found["HARNESS_CASE"]) == ("v1_x", "event:3,rst")
