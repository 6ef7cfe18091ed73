"""Tests of the entry point: help is fast, every exit is clean, another module named `harness` is noticed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from harness import __version__
from harness.cli import commands
from harness.cli.main import BROKEN_PIPE, COMMANDS, main, shadow_note
from harness.outcome import Exit, HarnessFault, TargetFault, UsageFault
from harness.transport import ServerThread
from harness.wire import Request, Response
from tests.cli.conftest import PATIENCE, Harness, start
from tests.engine.toys import ToyService

LONG = "x" * 300 + ".yaml"


def test_every_module_of_a_command_is_listed() -> None:
    """A file in cli/commands/ that runs something is the module of a command."""
    listed = {f"{commands.__name__}.{name}" for name in COMMANDS}
    files = (Path(commands.__file__).parent).glob("*.py")
    runs = {f"{commands.__name__}.{file.stem}" for file in files if "\ndef run(" in file.read_text("utf-8")}
    lost = ", ".join(sorted(runs - listed))
    assert not lost, f"nobody can call {lost}: add a row with its name to GROUPS in harness/cli/main.py"


@pytest.mark.parametrize("words", [("explain", "-x"), ("incidents", "--jsn")])
def test_an_unknown_flag_is_named_before_a_missing_argument(words: tuple[str, ...], harness: Harness) -> None:
    """A reader who mistook a flag for an argument learns that, instead of what else is missing."""
    assert f"unknown flag {words[1]!r}" in harness(*words).err


def test_version(harness: Harness) -> None:
    """--version prints the package's version."""
    assert harness("--version").out == f"harness {__version__}\n"


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("--help", ("harness.checks", "harness.emulator", "jsonschema", "hypothesis", "yaml")),
        ("list", ("harness.benches", "harness.transport", "harness.emulator", "harness.report.commands")),
    ],
)
def test_what_only_prints_imports_nothing_that_runs(command: str, parts: tuple[str, ...]) -> None:
    """`harness --help` imports no catalog and no engine; `harness list` nothing that runs or reports it."""
    code = (
        f"import sys; from harness.cli import main; main([{command!r}]); "
        f"sys.exit(', '.join(name for name in sys.modules if name.startswith({parts!r})) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (KeyboardInterrupt(), Exit.INTERRUPTED, "INTERRUPTED: "),
        (BrokenPipeError(), BROKEN_PIPE, ""),
        (TargetFault("it said \x1b[31mred"), 4, r"it said \x1b[31mred"),
        (UsageFault("no \x1b[31mred"), Exit.USAGE, r"no \x1b[31mred"),
        (HarnessFault("of \x1b[31mred"), Exit.HARNESS_ERROR, r"of \x1b[31mred"),
        (ValueError("\x1b[31mred"), 5, r"ValueError: \x1b[31mred"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a\x1b.yaml"),
            2,
            r"'a\x1b.yaml' cannot be used: Perm",
        ),
        (OSError(errno.EIO, "Input/output error", b"a\xff"), 2, r"'a\udcff' cannot be used: Input"),
    ],
)
def test_ends(
    raised: BaseException,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C and a closed pipe end quietly, text from a target is escaped, and only a bug shows a traceback."""

    def run(words: object) -> int:
        raise raised

    monkeypatch.setattr("harness.cli.commands.list.run", run)
    assert main(["list"]) == code
    err = capsys.readouterr().err
    assert told in err
    assert "\x1b" not in err
    assert ("Traceback" in err) is isinstance(raised, ValueError)


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """`harness list | true` writes nothing to standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "list"], stdout=out, stderr=subprocess.PIPE, cwd=tmp_path
        )
    assert done.returncode == BROKEN_PIPE
    assert done.stderr == b""


@pytest.mark.parametrize("theirs", ["harness.py", "harness/__init__.py"])
def test_a_module_of_the_same_name_is_noticed(theirs: str, tmp_path: Path, harness: Harness) -> None:
    """In a repository with its own `harness` module, a note says which commands still work."""
    path = tmp_path / theirs
    path.parent.mkdir(exist_ok=True)
    path.write_text("", encoding="utf-8")
    assert theirs in shadow_note(tmp_path)
    assert "interactions-harness" in harness("list").err
    assert shadow_note(Path(__file__).parents[2]) == ""  # this project's own folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "number"), [(["check", "-j", "2"], signal.SIGINT), (["fuzz", "--no-store"], signal.SIGTERM)]
)
def test_who_is_told_to_end_cleans_up(words: list[str], number: signal.Signals) -> None:
    """A run that is stopped by a signal deletes what it created and says in one line that it was interrupted."""
    service, found = ToyService(), threading.Event()

    def watched(request: Request) -> Response:
        if request.method == "GET" and request.segments[-1] in service.stored:
            found.set()
        return service(request)

    output = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with ServerThread(watched) as server, start(*words, server.url, **output) as process:
        assert found.wait(PATIENCE)
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == Exit.INTERRUPTED
    assert said == "interrupted: the run ends now (Ctrl-C again to stop at once)\n"
    assert service.stored == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "words", [["gateway", "http://127.0.0.1:1", "--wait", "60"], ["torture"]], ids=lambda w: w[0]
)
def test_what_was_just_started_ends_with_the_run(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, words: list[str], number: signal.Signals
) -> None:
    """A signal between the start of a process and the note of who owns it leaves nothing behind."""
    started = []
    start = subprocess.Popen

    def start_and_interrupt(command: list[str], **options: Any) -> Any:
        started.append(start(command, **options))
        os.kill(os.getpid(), number)
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start_and_interrupt)
    done = harness(*words, "--", sys.executable, "-c", "import time; time.sleep(60)")
    assert done.code == Exit.INTERRUPTED
    assert "INTERRUPTED: " in done.out + done.err
    assert [process.poll() is None for process in started] == [False]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full is /dev/full")
@pytest.mark.parametrize("command", ["list", "verify"])
def test_a_full_disk_is_told_in_a_line(command: str, tmp_path: Path) -> None:
    """If the disk is full and output cannot be written, the exit code is 2, with one line on standard error."""
    empty = tmp_path / "empty.yaml"
    empty.touch()
    words = [sys.executable, "-m", "harness", command, *([str(empty)] if command == "verify" else [])]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"harness: cannot write its output: No space left on device\n"


def test_a_current_folder_that_is_gone(harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the current folder was deleted, an error says so."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = harness("list")
    assert done.code == 2
    assert "the current folder was deleted" in done.err


def test_no_command_looks_for_garbage_as_it_ends() -> None:
    """What a long search has made takes seconds to look through, while a user waits after a Ctrl-C."""
    seen = "import atexit, gc; atexit.register(lambda: print('kept:', gc.get_freeze_count() > 1000))"
    done = subprocess.run(
        [sys.executable, "-c", f"{seen}\nfrom harness.cli import main\nmain(['list', 'gw.once'])"],
        capture_output=True,
        check=True,
    )
    assert done.stdout.endswith(b"kept: True\n")
