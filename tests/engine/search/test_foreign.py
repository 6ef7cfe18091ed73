"""Servers written without our code, searched through the command line: each defect is found for what it is."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import jsonschema
import pytest

from harness import resources
from harness.checks.capabilities import CAPABILITIES
from harness.cli import main
from harness.emulator import Emulator
from harness.engine.search import run, shrink
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions.search import load_search
from harness.interactions.servers import SERVERS
from harness.outcome import Exit
from harness.report import screen
from harness.transport import ServerThread
from harness.wire import Request, Response
from tests.engine.search import foreign_servers as foreign
from tests.engine.search.places import history
from tests.foreign.rows import vary
from tests.foreign.server import ForeignService, serving
from tests.foreign.test_runs import LetsReadersGo

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("alone")]

QUICK = ("-e", "history", "--max-examples", "12", "--no-store", "--api-key", "any-key-at-all", "--json")


def searched(
    service: foreign.Plain, capsys: pytest.CaptureFixture[str], *words: str, usual: Sequence[str] = QUICK
) -> tuple[int, dict[str, Any]]:
    """Fuzz a server: the exit code and the record, which fits its schema."""
    with foreign.serving(service) as url:
        code = main(["fuzz", url, *usual, *words])
    record = json.loads(capsys.readouterr().out)
    schema = json.loads((resources.folder("schemas") / "output" / "fuzz.schema.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(record)
    return code, record


def keys(record: dict[str, Any]) -> set[tuple[str, str]]:
    """Rule and call of each failure."""
    return {(failure["rule"], failure["call"]) for failure in record["failures"]}


@pytest.mark.parametrize("service", [foreign.Plain, foreign.Slow])
@pytest.mark.parametrize("seed", [0, *(pytest.param(other, marks=pytest.mark.thorough) for other in (1, 2))])
def test_a_server_that_offers_little_is_clean(
    service: type[foreign.Plain], seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A correct server without streams, background runs, tools and cancels has no finding, whatever the seed."""
    code, record = searched(service(), capsys, "--seed", str(seed))
    assert record["failures"] == []
    assert code == Exit.OK
    assert record["engines"][0]["never_accepted"] == []


def test_a_server_that_offers_little_is_searched_by_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """It rejects nearly all creates that the document allows, so it is asked for those that each server takes."""
    words = ("-e", "schema", "--max-examples", "3", "--no-store", "--api-key", "any", "--json")
    code, record = searched(foreign.Plain(), capsys, usual=words)
    assert (code, record["failures"]) == (Exit.OK, [])
    assert record["engines"][0]["vacuous"] == []


@pytest.mark.parametrize("handler", [ForeignService.handler, LetsReadersGo])
def test_a_reader_of_what_is_deleted_may_be_let_go(handler: type) -> None:
    """A correct server ends an open stream when its run is deleted, with or without its final event."""
    service = vary(ForeignService, lasts=1.0, handler=handler)()
    with serving(service) as url:
        target = resolve_target(SERVERS, url, TargetOptions(timeout=10))
        with closing(target.connect()) as driver:
            place = SearchTarget(target, load_search(), frozenset(CAPABILITIES), shared=driver)
            found = play(place, history("create background; open x2; delete; finish; poll; replay"), "history")
    assert [failure.key for failure in found] == []
    assert ("let go" in service.noted) is (handler is LetsReadersGo)


def test_a_hang_is_found_and_holds_up_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs on what was deleted is told so once, with its history, and all the rest is played."""
    monkeypatch.setattr(run, "FLOOR", 0.6)
    code, record = searched(foreign.HangsOnDeleted(), capsys, "--seed", "1")
    assert (code, keys(record)) == (Exit.FAILED, {("fuzz.answered", "GET interactions/{id}")})
    (failure,) = record["failures"]
    assert [step["kind"] for step in failure["history"]] == ["create", "delete", "poll"]
    assert failure["replays"] == {"shown": 1, "played": 1, "why_not": ""}
    assert record["engines"][0]["counts"]["histories"] >= 12


@pytest.mark.parametrize(
    "service",
    [foreign.HangsOnCancel, pytest.param(foreign.DripsOnCancel, marks=pytest.mark.thorough)],
)
def test_a_route_that_never_ends_does_not_end_the_schema_engine(
    service: type[foreign.Plain], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("-e", "schema", "--max-examples", "2", "--timeout", "2", "--no-store", "--api-key", "any", "--json")
    code, record = searched(service(), capsys, usual=words)
    assert code == Exit.FAILED
    assert keys(record) == {("fuzz.answered", "POST interactions/{id}/cancel")}
    (engine,) = record["engines"]
    assert engine["counts"]["operations"] == 5
    assert "voices, decisions" in engine["notes"][0]


@pytest.mark.parametrize(
    ("service", "steps"),
    [
        (foreign.CrashesOnField, [("create", "unstored")]),
        (foreign.CrashesOnChain, [("create", "plain"), ("chain", "plain")]),
    ],
)
def test_a_crash_is_shrunk_to_what_causes_it(
    service: type[foreign.Plain], steps: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A crash is found once, counted, shrunk to its cause, and played again."""
    code, record = searched(service(), capsys)
    assert (code, keys(record)) == (Exit.FAILED, {("fuzz.no-5xx", "POST interactions")})
    (failure,) = record["failures"]
    assert [(step["kind"], step.get("mode", "")) for step in failure["history"]] == steps
    assert failure["seen"] > 1
    assert failure["unshrunk"] == ""
    assert failure["replays"]["shown"] == 1
    assert len(failure["curl"]) == len(steps)


def test_nothing_but_examples_bounds_what_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a server with twenty defects, more than a dozen are found in one search, each of them once."""
    code, record = searched(foreign.TwentyDefects(), capsys)
    names = ("rule", "code", "call", "pointer", "severity")
    found = [tuple(failure.get(name, "") for name in names) for failure in record["failures"]]
    assert code == Exit.FAILED
    assert len(found) >= 20
    assert len(set(found)) == len(found)


def test_what_fails_every_third_time_is_flaky(capsys: pytest.CaptureFixture[str]) -> None:
    """A server that fails on every third create is found, and the failure says how often it came back."""
    _, record = searched(foreign.EveryThird(), capsys)
    failure = next(failure for failure in record["failures"] if failure["rule"] == "fuzz.no-5xx")
    assert failure["seen"] > 3
    assert failure["replays"]["played"] >= failure["replays"]["shown"]


def test_what_never_comes_back_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """A crash that never happens again is told as flaky, not as a failure, and says why it is not shrunk."""
    code, record = searched(foreign.Once(), capsys)
    (failure,) = record["failures"]
    assert code == Exit.OK
    assert (failure["outcome"], failure["flaky"]) == ("warned", True)
    assert failure["replays"] == {"shown": 0, "played": shrink.TRIES, "why_not": ""}
    assert failure["unshrunk"] == "it did not fail again"


def test_a_search_of_refusals_is_not_green(capsys: pytest.CaptureFixture[str]) -> None:
    code, record = searched(foreign.RefusesLater(), capsys)
    assert (code, keys(record)) == (Exit.FAILED, {("create.ok", "POST interactions")})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_search_reports_what_it_has(
    number: signal.Signals, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """After a signal, what was found is reported, the reports are written, and what was not begun is named."""

    class Interrupts(foreign.CrashesOnChain):
        asked = 0

        def answer(self, method: str, path: str, query: str, body: bytes) -> foreign.Answer:
            self.asked += 1
            if self.asked == 700:
                os.kill(os.getpid(), number)
                threading.Event().wait(0.05)
            return super().answer(method, path, query, body)

    words = (
        "-e",
        "history,schema",
        "--max-examples",
        "500",
        "--no-store",
        "--api-key",
        "any-key-at-all",
        "--json",
    )
    code, record = searched(Interrupts(), capsys, "--report", f"junit={tmp_path}/x.xml", usual=words)
    assert code == Exit.INTERRUPTED
    assert "interrupted" in record["halted"]
    (failure,) = record["failures"]
    assert failure["replays"]["why_not"] == shrink.STOPPED
    assert record["engines"][1]["vacuous"] == ["the run was interrupted before it began"]
    assert "no-5xx" in (tmp_path / "x.xml").read_text()


def interrupt_first_call(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Let the first call of this function be interrupted before it does anything."""
    owner, _, name = place.replace(":", ".").rpartition(".")
    holder, calls = resolve_name(owner), count()
    function = getattr(holder, name)

    def call(*positional: Any, **named: Any) -> Any:
        if next(calls) == 0:
            signal.raise_signal(signal.SIGINT)
        return function(*positional, **named)

    monkeypatch.setattr(holder, name, call)


@pytest.mark.parametrize(
    "place",
    [
        "harness.engine.search.shrink:_Shrinking._replay",
        "harness.engine.search.run:document",
    ],
)
def test_wherever_an_interrupt_comes_there_is_a_report(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between two engines, in shrinking or repeating: the run ends as interrupted, with what was found by then."""
    interrupt_first_call(monkeypatch, place)
    words = ("-e", "history,schema", "--max-examples", "12", "--no-store", "--api-key", "any-key-at-all", "--json")
    code, record = searched(foreign.CrashesOnChain(), capsys, usual=words)
    assert (code, "interrupted" in record["halted"]) == (Exit.INTERRUPTED, True)
    assert "fuzz.no-5xx" in {failure["rule"] for failure in record["failures"]}


def test_an_interrupted_replay_of_failures_keeps_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What is stored was not seen to be mended, so it stays, and no engine begins."""
    words = ("-e", "history", "--max-examples", "12", "--api-key", "any-key-at-all", "--json", "--store", "kept")
    with foreign.serving(foreign.CrashesOnChain()) as url:
        assert main(["fuzz", url, *words]) == Exit.FAILED
        capsys.readouterr()
        kept = sorted((tmp_path / "kept").rglob("*.json"))
        interrupt_first_call(monkeypatch, "harness.engine.search.run:_play_again")
        code = main(["fuzz", url, *words])
    record = json.loads(capsys.readouterr().out)
    assert kept
    assert (code, sorted((tmp_path / "kept").rglob("*.json"))) == (Exit.INTERRUPTED, kept)
    assert [engine["vacuous"] for engine in record["engines"]][1:] == [["the run was interrupted before it began"]]


def test_an_interrupt_ends_the_search_by_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """The tool behind this engine takes Ctrl-C for the end of one resource: no other is begun after it."""
    emulator, calls = Emulator(), count(1)

    def service(request: Request) -> Response:
        if next(calls) == 60:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.05)
        return emulator(request)

    words = ("-e", "schema", "--max-examples", "10", "--no-store", "--json", "--api-key", "any")
    with ServerThread(service) as server:
        main(["fuzz", server.url, *words])
    record = json.loads(capsys.readouterr().out)
    assert next(calls) > 60
    assert record["engines"][0]["counts"]["resources"] == 1


def test_a_code_can_be_excluded(capsys: pytest.CaptureFixture[str]) -> None:
    """What is excluded is not found, and the record names it; a wrong code is refused with a proposal."""
    code, record = searched(foreign.CrashesOnChain(), capsys, "--exclude", "fuzz.no-5xx")
    assert record["failures"] == []
    assert record["excluded"] == ["fuzz.no-5xx"]
    assert code in (Exit.OK, Exit.NOTHING_RAN)
    assert searched(foreign.CrashesOnChain(), capsys, "-c", "stream")[1]["failures"] == []
    assert main(["fuzz", "http://127.0.0.1:9", "--exclude", "fuzz.no-5x"]) == Exit.USAGE
    assert "did you mean 'fuzz.no-5xx'" in capsys.readouterr().err


def test_a_stale_entry_of_the_baseline_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "known.yaml").write_text("- id: fuzz.no-5xx\n  reason: one\n- id: del.gone\n  reason: two\n")
    code, record = searched(foreign.CrashesOnField(), capsys, "--baseline", "known.yaml")
    assert code == Exit.OK
    assert [(failure["outcome"], "baseline" in failure) for failure in record["failures"]] == [("warned", True)]
    assert record["unseen"] == ["del.gone"]


def test_a_search_into_a_file_is_not_silent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be drawn, lines of progress with counts are written now and then."""
    monkeypatch.setattr(screen, "PAUSE", 0.0)
    with foreign.serving(foreign.Plain()) as url:
        main(["fuzz", url, "-v", *(word for word in QUICK if word != "--json")])
    out = capsys.readouterr().out
    assert "history: 9 of 12 histories, " in out
    *_, verdict = out.rstrip().splitlines()
    assert re.search(r"^judged [\d,]+ responses: ", out, re.MULTILINE)
    assert verdict.startswith("PASSED: no rule broken in ")
