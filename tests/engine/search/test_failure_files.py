"""A minimal reproduction of a failure in forms that work: a curl script, a test, a cassette."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from harness.cassette import load
from harness.checks.capabilities import CAPABILITIES
from harness.engine.decide import Policy
from harness.engine.events import TargetInfo
from harness.engine.search.failure import Failure
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions.search import load_search
from harness.interactions.servers import SERVERS
from harness.kit.api import PRIMARY_KEY
from harness.report.commands.fuzz import pytest_module, why_no_cassette, write_all
from harness.report.evidence.curl import EMBEDDED_ROOT, Display
from harness.transport import ServerThread, ServiceDriver
from harness.wire.mask import Mask
from tests.engine.search.places import history, mutant
from tests.foreign.deleting import LosesReaders
from tests.foreign.server import serving

WORDS = "create; create; delete 1; poll 1"


@pytest.fixture
def failure() -> Failure:
    """A deleted interaction that is still there."""
    return play(mutant("delete-keeps"), history(WORDS), "history")[0]


def info(url: str = "") -> TargetInfo:
    """Facts about the target: the embedded emulator, or the given URL."""
    secrets = {"GEMINI_API_KEY": PRIMARY_KEY}
    return TargetInfo(name="emulator", url=url, version="v1beta", model="m", agent="a", secrets=secrets)


def shown(target: TargetInfo) -> Display:
    """How the evidence about a target is printed."""
    return Display(SERVERS, target.url or EMBEDDED_ROOT, Mask(target.secrets))


def test_the_script_shows_the_failure(failure: Failure, tmp_path: Path) -> None:
    """The script, run unchanged against a served mutant, ends with the 200 that should have been a 404."""
    driver = mutant("delete-keeps").resolved.connect()
    assert isinstance(driver, ServiceDriver)
    with ServerThread(driver.service, clock=driver.clock) as server:
        target = info(server.url)
        paths = write_all(failure.decide(Policy(), load_search()), target, shown(target), tmp_path)
        script = next(path for path in paths if path.suffix == ".sh")
        done = subprocess.run(
            ["sh", str(script)],
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "GEMINI_API_KEY": PRIMARY_KEY},
            check=False,
        )
    assert done.stdout.count("HTTP/1.1 200") == 4  # two creates, the delete, and the read that should be a 404


def test_nothing_holds_the_key(failure: Failure, tmp_path: Path) -> None:
    """The script, the test and the cassette do not contain the API key."""
    for path in write_all(failure.decide(Policy(), load_search()), info(), shown(info()), tmp_path):
        assert PRIMARY_KEY not in path.read_text(), path


def test_no_cassette_pretends_to_show_a_hang(failure: Failure) -> None:
    """A trail whose last request got no response is not written as a cassette, which could not contain it."""
    unanswered = structs.replace(failure.trail[-1], status=None)
    hung = replace(failure, trail=(*failure.trail[:-1], unanswered)).decide(Policy(), load_search())
    assert "the last request got none" in why_no_cassette(hung)
    assert why_no_cassette(failure.decide(Policy(), load_search())) == ""


def test_the_cassette_holds_the_trail(failure: Failure, tmp_path: Path) -> None:
    paths = write_all(failure.decide(Policy(), load_search()), info(), shown(info()), tmp_path)
    cassette = load(next(path for path in paths if path.suffix == ".yaml"))
    methods = [recording.request.method for recording in cassette.recordings]
    assert methods == [exchange.request.method for exchange in failure.trail]


@pytest.mark.slow
@pytest.mark.parametrize("between", ["", "create; "], ids=["alone", "another after it"])
def test_what_is_still_open_when_the_next_request_is_sent(between: str, tmp_path: Path) -> None:
    """An answer that never ends because of a later request is open in the background when that one is sent."""
    service = LosesReaders()
    service.lasts = 20.0
    with serving(service) as url:
        target = resolve_target(SERVERS, url, TargetOptions(api_key="any", timeout=1.0))
        (found,) = play(
            SearchTarget(target, load_search(), frozenset(CAPABILITIES)),
            history(f"create background; open 0 x2; delete; {between}finish"),
            "history",
        )
        result = found.decide(Policy(), load_search())
        assert (found.rule, found.is_suspicion) == ("fuzz.answered", True)
        paths = write_all(result, target.info, shown(target.info), tmp_path)
        script = next(path for path in paths if path.suffix == ".sh")
        done = subprocess.run(
            ["sh", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path, check=False
        )
        service.released.set()
    assert "curl: (28)" in done.stdout  # its reader gave up, in the background


@pytest.mark.slow
def test_the_test_passes_on_a_server_that_keeps_the_promise(failure: Failure, tmp_path: Path) -> None:
    """The generated module is a test that pytest collects, and the reference passes it."""
    path = tmp_path / "test_found.py"
    path.write_text(pytest_module(failure.decide(Policy(), load_search()), info(), SERVERS))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
