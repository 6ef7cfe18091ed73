"""Tests of commands whose output is a terminal: what a person sees, and a captured stream does not show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.emulator import Emulator
from harness.emulator.mutants import MUTANTS
from harness.resources import folder
from harness.transport import ServerThread
from tests.cli.conftest import Harness
from tests.transport.peers import free_port

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
GREEN = "\x1b[32m"
RECORDING = str(folder("cassettes") / "emulator" / "agent.yaml")


def on_a_terminal(*words: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run `harness WORDS` on a terminal and return the exit code and everything drawn."""
    told, screen = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    command = [sys.executable, "-m", "harness", *words]
    settings = {**plain, "TERM": "xterm", **(environment or {})}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, env=settings
    ) as process:
        os.close(screen)
        drawn = b""
        while True:
            try:
                read = os.read(told, 65536)
            except OSError:  # how Linux reports that the other side is closed
                read = b""
            if not read:
                break
            drawn += read
    os.close(told)
    return process.returncode, drawn.decode()


@pytest.mark.slow
def test_a_comparison_is_wrapped_to_the_terminal(tmp_path: Path, harness: Harness) -> None:
    """No line of `diff` is wider than a narrow terminal; a log gets whole lines."""
    report = tmp_path / "one.json"
    assert harness("check", "emulator", "-c", "create.ok", "--report", f"json={report}").code == 0
    words = ("diff", f"one={report}", f"two={report}")
    code, drawn = on_a_terminal(*words, environment={"COLUMNS": "40"})
    assert code == 0, drawn
    assert max(len(line) for line in drawn.splitlines()) < 40
    assert max(len(line) for line in harness(*words).out.splitlines()) > 40


@pytest.mark.slow
def test_the_path_of_a_failure_is_one_row(tmp_path: Path) -> None:
    """It is copied from the screen: `fuzz` breaks it at no space, however narrow the terminal is."""
    output = tmp_path / "a folder with spaces"
    words = ("-e", "laws", "--max-examples", "10", "--no-store", "--output", str(output))
    service = MUTANTS["resume-skips-one"].build()
    with ServerThread(service, clock=service.clock) as server:
        _, drawn = on_a_terminal("fuzz", server.url, "--api-key", "any", *words, environment={"COLUMNS": "40"})
    assert re.search(rf"written: {re.escape(str(output))}/\S+\.sh, \.py, \.yaml", drawn), drawn


@pytest.mark.parametrize(("more", "is_paged"), [
    ({"LINES": "5"}, True),
    ({"LINES": "50"}, False),  # a screen has room for it
    ({"LINES": "5", "NO_PAGER": "1"}, False),
    ({"LINES": "5", "CI": "true"}, False),
    ({"LINES": "5", "PAGER": "no-such-program"}, False),
])  # fmt: skip
def test_a_long_listing_goes_through_the_pager(more: Mapping[str, str], is_paged: bool) -> None:
    """A list that a terminal has no room for goes through `$PAGER`, in its colors; never in CI."""
    count = f"{sys.executable} -c 'import sys; print(\"pager:\", len(sys.stdin.read()))'"
    code, drawn = on_a_terminal("list", "http", environment={"PAGER": count, "COLUMNS": "80"} | dict(more))
    assert code == 0
    assert re.fullmatch(r"pager: \d{3,}\r\n", drawn) if is_paged else "\x1b[1mHTTP\x1b[0m" in drawn, drawn


@pytest.mark.slow
def test_a_gateway_is_judged_under_a_progress_line() -> None:
    """`gateway` counts the trials on a progress line and then prints the verdicts."""
    port, upstream = free_port(), free_port()
    proxy = (sys.executable, "-m", "harness", "proxy", "--target", f"http://127.0.0.1:{upstream}")
    times = ("--watch", "0", "--idle", "0.5")
    words = ("gateway", f"http://127.0.0.1:{port}", "--upstream-port", str(upstream), *times)
    code, drawn = on_a_terminal(*words, "--", *proxy, "--port", str(port))
    assert code == 0, drawn
    assert re.search(r"\[(\d+)/\1\] watching for requests that no client sent", drawn), drawn
    assert f"{GREEN}31 passed" in drawn


@pytest.mark.slow
def test_a_recording_session_draws_progress_and_colour(tmp_path: Path) -> None:
    """A recording session shows the scenario in progress, and a green word for each one recorded."""
    with ServerThread(Emulator()) as server:
        words = ("record", "--send", "errors", "--target", server.url, "--cassette", str(tmp_path))
        code, drawn = on_a_terminal(*words, "--max-requests", "9", "--api-key", "any-key")
    assert code == 0, drawn
    assert "[1/1] errors" in drawn
    assert f"errors: {GREEN}recorded" in drawn
