"""What failed last time is run again alone, and a run that is killed leaves what it had."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.engine.decide import FILE, read_last_failed
from harness.outcome import Exit
from tests.benches.client.clients import ONE_SHOT, program
from tests.cli.commands.test_gateway import words
from tests.foreign.answering import Json
from tests.foreign.judging import hurry
from tests.foreign.rows import vary
from tests.foreign.server import ForeignService, serving
from tests.transport.peers import free_port


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty folder, and wait for what is gone less long than users do."""
    monkeypatch.chdir(tmp_path)
    hurry(monkeypatch)


@pytest.mark.slow
def test_only_what_failed_is_checked_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A check that passes now is forgotten, one that was left out is not, on any port; of none known, all run."""
    service = vary(ForeignService, delete=lambda self, usual, run: {}, show=lambda self, usual, run: usual(run))()
    globs = ("-c", "get.ok", "-c", "del.gone", "-c", "create.ok")
    with serving(service) as url:
        assert main(["check", url, *globs]) == Exit.FAILED
        assert read_last_failed("check 127.0.0.1") == {"del.gone": []}
    capsys.readouterr()
    with serving(service) as url:
        assert main(["check", url, "--last-failed"]) == Exit.FAILED
        printed = capsys.readouterr()
        assert "harness: running 1 check (--last-failed)" in printed.err
        assert re.search(r"FAILED: 1 of \d+ MUST checks failed \(1 cause: del.gone\); \d+ excluded", printed.out)
        assert main(["check", url, "-c", "get.ok"]) == Exit.OK
        assert read_last_failed("check 127.0.0.1") == {"del.gone": []}
        service.delete = lambda run: ForeignService.delete(service, run)  # type: ignore[method-assign]
        assert main(["check", url, "--last-failed"]) == Exit.OK
        assert read_last_failed("check 127.0.0.1") == {}
    assert main(["check", "emulator", "--last-failed", "--dry-run"]) == Exit.OK
    assert "everything, as no failure is known" in capsys.readouterr().err


@pytest.mark.slow
def test_only_the_cases_that_failed_are_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A client that loses its cursor fails where the connection breaks, and not where nothing does."""
    client = program(ONE_SHOT.replace('cursor = "&last', 'unused = "&last'))
    command = ["torture", "--cuts", "event:9,rst", "--cuts", "pass", "--", *client]
    assert main(command) == Exit.FAILED
    ((run, failed),) = json.loads(FILE.read_text()).items()
    assert (run.endswith(" follow"), failed) == (True, {"client[event:9,rst]": []})
    capsys.readouterr()
    main([command[0], "--last-failed", *command[1:]])
    assert "harness: running 1 case (--last-failed)" in capsys.readouterr().err


@pytest.mark.slow
def test_only_the_rules_that_failed_are_judged_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A gateway that a new run starts on another port is the same; a rule that it meets now is forgotten."""
    assert main(words(free_port(), "query.stream", "-c", "gw.query", "-c", "gw.route")) == Exit.FAILED
    assert read_last_failed("gateway 127.0.0.1") == {"gw.query": []}
    capsys.readouterr()
    assert main(words(free_port(), "faithful", "--last-failed")) == Exit.OK
    assert "harness: running 1 rule (--last-failed)" in capsys.readouterr().err
    assert read_last_failed("gateway 127.0.0.1") == {}


@pytest.mark.slow
def test_what_only_another_exercise_shows_is_seen_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A response to what another check sends is misshapen: that check runs along, and only then is all over."""

    def misshape_chains(self: Any, usual: Any, body: Json) -> Any:
        made = usual(body)
        return {**made, "usage": 7} if "previous_interaction_id" in body and isinstance(made, dict) else made

    with serving(vary(ForeignService, create=misshape_chains)()) as url:
        assert main(["check", url, "-c", "usage.types", "-c", "chain.ok"]) == Exit.FAILED
        assert read_last_failed("check 127.0.0.1") == {"usage.types": ["chain.ok"]}
        assert main(["check", url, "-c", "usage.types"]) == Exit.OK
        capsys.readouterr()
        assert main(["check", url, "--last-failed"]) == Exit.FAILED
    assert "harness: running 2 checks (--last-failed)" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"check a": 5}', '{"check a": ["of an earlier version"]}'])
def test_a_file_that_is_none_knows_no_failure(text: str) -> None:
    FILE.parent.mkdir()
    FILE.write_text(text)
    assert read_last_failed("check a") == {}


def test_a_file_of_the_folder_is_ignored_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    """What it leaves out is told beside the verdict, and `--no-config` judges it all the same."""
    emulator_checks = ("check", "emulator", "-c", "del.ok", "-c", "create.ok")
    Path("pyproject.toml").write_text('[tool.harness]\nexclude=["del.*"]\nlevel="must"\ncapability=["+auth"]\n')
    assert main([*emulator_checks]) == Exit.OK
    *_, note, verdict = capsys.readouterr().out.splitlines()
    told = "pyproject.toml leaves something out: exclude = del.*, level = MUST (--no-config ignores it)"
    assert (note, verdict.partition(";")[0]) == (told, "PASSED: no MUST check failed")
    assert main([*emulator_checks, "--no-config"]) == Exit.OK
    *lines, verdict = capsys.readouterr().out.splitlines()
    assert ("leaves something out" in "".join(lines), "; 2 of " in verdict) == (False, True)


@pytest.mark.slow
def test_a_killed_run_leaves_what_it_had(tmp_path: Path) -> None:
    """Nothing of the process can tell of its end, so the reports are written on the way."""
    released, path = threading.Event(), tmp_path / "report.json"

    def hang(self: Any, usual: Any, body: Json) -> Any:
        if self.made > 0 and path.exists():
            released.wait(60)
        return usual(body)

    words = ["-c", "create.*", "-c", "get.*", "-j", "1", "--report", f"json={path}"]
    program = (
        "import sys, harness.cli.run_reports as reports\nreports._INTERIM = 0.0\nfrom harness.cli import main\n"
    )
    with serving(vary(ForeignService, create=hang)()) as url:
        command = [sys.executable, "-c", f"{program}main(['check', *sys.argv[1:]])", url, *words]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while not path.exists() and process.poll() is None:
                threading.Event().wait(0.02)
            process.kill()
        released.set()
    record = json.loads(path.read_text())
    assert record["exit"] == Exit.INTERRUPTED
    assert record["checks"]
