"""Claims about the front door: help is quick, ends are clean, a module of the same name is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness import __version__
from harness.cli.main import BROKEN_PIPE, COMMANDS, INTERRUPTED, main
from harness.cli.shadow import shadow_note
from harness.outcome import TargetFault
from harness.transport import ServerThread
from harness.wire import Request, Response
from tests.cli.conftest import Harness
from tests.runner.toys import ToyService


def test_help_names_every_command_and_exit_code(harness: Harness) -> None:
    """`harness --help` is the map of the tool."""
    done = harness("--help")
    assert done.code == 0
    assert all(f"  {name} " in done.out for name in COMMANDS)
    assert "4 target unreachable" in done.out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str, harness: Harness) -> None:
    """`--help` of each command is success, and an unknown flag a usage error."""
    assert harness(name, "--help").code == 0
    done = harness(name, "--no-such-flag-at-all")
    assert done.code == 2
    assert "Traceback" not in done.err


def test_version(harness: Harness) -> None:
    """The version is the package's."""
    assert harness("--version").out == f"harness {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    """The top level imports neither the catalogue nor the emulator nor any engine."""
    code = (
        "import sys; from harness.cli import main; main(['--help']); "
        "heavy = {'harness.checks.catalogue', 'harness.emulator', 'jsonschema', 'hypothesis', 'yaml'}; "
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (KeyboardInterrupt(), INTERRUPTED, "interrupted"),
        (BrokenPipeError(), BROKEN_PIPE, ""),
        (TargetFault("it said \x1b[31mred"), 4, r"it said \x1b[31mred"),
        (ValueError("x"), 5, "bug"),
    ],
)
def test_ends(
    raised: BaseException,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C and a closed pipe end quietly, a target paints no terminal, only a bug of ours shows a traceback."""

    def run(words: object) -> int:
        raise raised

    monkeypatch.setattr("harness.cli.listing.run", run)
    assert main(["list"]) == code
    err = capsys.readouterr().err
    assert told in err
    assert ("Traceback" in err) is isinstance(raised, ValueError)


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """`harness list | true` says nothing on standard error."""
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
    """A repository with its own `harness` is told which commands still work."""
    path = tmp_path / theirs
    path.parent.mkdir(exist_ok=True)
    path.write_text("", encoding="utf-8")
    assert theirs in shadow_note(tmp_path)
    assert "interactions-harness" in harness("list").err


def test_our_own_checkout_is_no_shadow() -> None:
    """In this project's own folder there is nothing to warn of."""
    assert shadow_note(Path(__file__).parents[2]) == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [["check", "-j", "2"], ["fuzz", "--no-store"]], ids=["check", "fuzz"])
def test_who_is_told_to_end_cleans_up(words: list[str], number: signal.Signals) -> None:
    """A run that somebody stops deletes what it has created so far, and says in a line that it was stopped."""
    service, found = ToyService(), threading.Event()

    def watched(request: Request) -> Response:
        if request.method == "GET" and request.segments[-1] in service.stored:
            found.set()
        return service(request)

    with ServerThread(watched) as server:
        command = [sys.executable, "-m", "harness", *words, server.url]
        folder = Path(__file__).parents[2]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=folder) as process:
            assert found.wait(60)
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (INTERRUPTED, b"harness: interrupted\n")
    assert service.stored == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full is /dev/full")
def test_a_full_disk_is_told_in_a_line() -> None:
    """That is nobody's bug, and it is not 0: the report that somebody wanted is not there."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-m", "harness", "list"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"harness: what it says cannot be written: No space left on device\n"


@pytest.mark.skipif(os.name == "nt", reason="the shell is that of POSIX")
def test_a_standard_output_that_is_closed() -> None:
    """Who wants to hear nothing gets the exit code."""
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "harness", "list"]
    done = subprocess.run(closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_current_folder_that_is_gone(harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that deleted the folder it stands in is told so."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = harness("list")
    assert done.code == 2
    assert "the current folder was deleted" in done.err
