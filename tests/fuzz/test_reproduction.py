"""The least that shows a failure, in forms that work: curl against a served mutant, a test, a cassette."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cassette import load
from harness.report.reproduction import pytest_module, write_all
from harness.runner.events import TargetInfo
from harness.runner.fuzz.failure import Failure
from harness.runner.fuzz.place import play
from harness.runner.targets import PRIMARY_KEY
from harness.transport import ServerThread, ServiceDriver
from harness.wire.mask import Mask
from tests.fuzz.places import history, mutant

WORDS = "create; create; delete 1; poll 1"


@pytest.fixture
def failure() -> Failure:
    """A deleted interaction that is still there."""
    return play(mutant("delete-keeps"), history(WORDS), "history")[0]


def info(url: str = "") -> TargetInfo:
    """The embedded emulator, or a URL."""
    secrets = {"GEMINI_API_KEY": PRIMARY_KEY}
    return TargetInfo(name="emulator", url=url, version="v1beta", model="m", agent="a", secrets=secrets)


def test_the_script_shows_the_failure(failure: Failure, tmp_path: Path) -> None:
    """Run as it stands against a served mutant, the last answer is the 200 that should be a 404."""
    driver = mutant("delete-keeps").resolved.connect()
    assert isinstance(driver, ServiceDriver)
    with ServerThread(driver.service, clock=driver.clock) as server:
        target = info(server.url)
        paths = write_all(failure, target, Mask(target.secrets), tmp_path)
        script = next(path for path in paths if path.suffix == ".sh")
        done = subprocess.run(
            ["sh", str(script)],
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "GEMINI_API_KEY": PRIMARY_KEY},
            check=False,
        )
    assert done.stdout.count("HTTP/1.1 200") == 3  # a create, the delete, and the read that should be a 404


def test_nothing_holds_the_key(failure: Failure, tmp_path: Path) -> None:
    """Script, test and cassette are free of secrets."""
    for path in write_all(failure, info(), Mask({"GEMINI_API_KEY": PRIMARY_KEY}), tmp_path):
        assert PRIMARY_KEY not in path.read_text(), path


def test_the_cassette_holds_the_trail(failure: Failure, tmp_path: Path) -> None:
    """Each exchange, in order."""
    paths = write_all(failure, info(), Mask({"GEMINI_API_KEY": PRIMARY_KEY}), tmp_path)
    cassette = load(next(path for path in paths if path.suffix == ".yaml"))
    methods = [recording.request.method for recording in cassette.recordings]
    assert methods == [exchange.request.method for exchange in failure.trail]


def test_the_test_plays_the_very_history(failure: Failure) -> None:
    """Words of JSON inside texts and characters beyond the basic plane are what they were."""
    odd = replace(failure.history[0], body={"input": "is it true or null? 🦊", "background": True, "x": None})
    module: dict[str, Any] = {}
    exec(pytest_module(replace(failure, history=(odd,)), info()), module)
    assert module["HISTORY"] == [odd.record()]


def test_the_test_passes_on_a_server_that_keeps_the_promise(failure: Failure, tmp_path: Path) -> None:
    """The module is a test that pytest collects; the reference passes it."""
    path = tmp_path / "test_found.py"
    path.write_text(pytest_module(failure, info()))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
