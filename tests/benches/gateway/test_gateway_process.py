"""A gateway process that a run starts: it ends with the run, together with all its child processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from harness.benches.gateway.run import run_command
from harness.outcome import UsageFault

CHILD = "import sys, time; print('here', flush=True); time.sleep(60)"
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(60)
"""


def until(holds: object, seconds: float = 30.0) -> bool:
    """Whether a condition becomes true in time."""
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_its_words_are_kept() -> None:
    with run_command([sys.executable, "-c", CHILD], os.environ) as process:
        assert until(lambda: process.words == "here")
        assert process.wait_for_end() == ""


def test_it_ends_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with run_command([sys.executable, "-c", PARENT, str(note)], os.environ):
        assert until(lambda: note.exists() and note.read_text())
        pid = int(note.read_text())
    assert until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_one_that_ended_says_why() -> None:
    """If the process ended, the error has its exit code and its last output."""
    command = [sys.executable, "-c", "print('no such config'); raise SystemExit(3)"]
    with run_command(command, os.environ) as process:
        assert until(lambda: process.wait_for_end())
        assert process.wait_for_end().endswith("has ended (exit code 3)\nno such config")


def test_one_that_does_not_start() -> None:
    """A command that cannot be started is a usage error."""
    with (
        pytest.raises(UsageFault, match="cannot run '/no/such/gateway'"),
        run_command(["/no/such/gateway"], os.environ),
    ):
        pass
