"""A command run next to a server: it gets the signals sent to us, ends in time, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.child_processes import Child
from harness.child_processes import start as start_command
from harness.cli.serving import ChildCommand
from tests.cli.conftest import PATIENCE, start
from tests.transport.peers import until

ROOT = Path(__file__).parents[2]
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
pathlib.Path(sys.argv[1]).unlink()
"""
UP = "import time; print('up', flush=True); [time.sleep(0.02) for _ in range({})]"
"""In short sleeps: Python sees a signal that comes just before a sleep only after it."""


def told(number: int, *command: str, ignoring: bool = False) -> int:
    """Send a signal to `harness serve -- COMMAND` once the command is up, and return the exit code.

    Waits for every process that holds its output, which includes any that was left behind. What is done with the
    signal is inherited, so it is set here: tests that run under nohup would start commands that ignore SIGHUP.
    """
    inherited = signal.SIG_IGN if ignoring else signal.SIG_DFL
    with start(
        "serve", "--", *command, start_new_session=True, preexec_fn=lambda: signal.signal(number, inherited)
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    return process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_the_command_and_all_it_started(name: str) -> None:
    """A signal also ends the processes that the command started, and the exit code names the signal."""
    number = getattr(signal, name)
    assert told(number, "sh", "-c", f'"{sys.executable}" -c "{UP.format(30_000)}"; true') == 128 + number


@pytest.mark.slow
def test_who_does_not_hear_the_signal_is_not_left_behind() -> None:
    """A process that ignores SIGINT, such as a shell's background job, is ended all the same."""
    command = f'sleep 600 & exec "{sys.executable}" -c "{UP.format(30_000)}"'
    assert told(signal.SIGINT, "sh", "-c", command) == 128 + signal.SIGINT


@pytest.mark.slow
def test_nobody_outlives_a_command_that_ends_by_itself() -> None:
    """If the command ends by itself, processes it left in the background are ended: their server is gone."""
    command = [sys.executable, "-m", "harness", "serve", "--", "sh", "-c", "sleep 600 & echo up"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True, timeout=PATIENCE)
    assert (ended.returncode, ended.stdout) == (0, b"up\n")


@pytest.mark.slow
def test_a_hang_up_that_is_ignored_stays_so() -> None:
    """`nohup harness serve -- CMD` keeps running when its terminal closes."""
    assert told(signal.SIGHUP, sys.executable, "-c", UP.format(15), ignoring=True) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_does_not_listen_is_killed(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A command that ignores a signal is killed after a time, and the exit code names the signal."""
    monkeypatch.setattr("harness.cli.serving._on_a_terminal", lambda: False)
    monkeypatch.setattr("harness.cli.serving.PATIENCE", 0.1)
    running, up = ChildCommand(), tmp_path / "up"

    def tell() -> None:
        until(up.exists)
        running.handle_signal(number)

    teller = threading.Thread(target=tell)
    teller.start()
    assert running.run([sys.executable, "-c", STUBBORN, str(up)], dict(os.environ)) == 128 + number
    teller.join()
    assert up.exists(), "it came to its own end"


def test_a_signal_before_the_command_keeps_it_from_starting() -> None:
    """If the signal comes before the command was started, the command is not started."""
    running = ChildCommand()
    running.handle_signal(signal.SIGTERM)
    assert running.run(["/nowhere"], {}) == 128 + signal.SIGTERM
    with pytest.raises(KeyboardInterrupt):
        ChildCommand().handle_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_command_starts_reaches_it(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command may run, and print, before we know of it: on a busy machine it was left behind."""
    monkeypatch.setattr("harness.cli.serving._on_a_terminal", lambda: False)
    running = ChildCommand()

    def start_late(*given: Any, **options: Any) -> Child:
        child = start_command(*given, **options)
        running.handle_signal(number)
        return child

    monkeypatch.setattr("harness.cli.serving.start", start_late)
    assert running.run([sys.executable, "-c", UP.format(3_000)], dict(os.environ)) == 128 + number
