"""One line for users of other languages: `uvx` and `pipx` run the built wheel, `npx` the packed package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import __version__
from tests.e2e.packed import install_packed

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

ROOT = Path(__file__).resolve().parents[2]


def find_program(name: str) -> str:
    """A program on PATH, or beside this Python; the test skips without it."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=beside)
    if found is None:
        pytest.skip(f"no {name} here: `pip install {'uv' if name == 'uvx' else name}` brings it")
    return found


def run(*words: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program outside the checkout, with nothing of this process' Python in its environment."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "HARNESS"))
    }
    return subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env={**kept, **more},
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )


@pytest.mark.parametrize(
    ("program", "words"), [("uvx", ("--quiet", "--from")), ("pipx", ("run", "--quiet", "--spec"))]
)
def test_the_wheel_runs_in_one_line(program: str, words: tuple[str, ...], wheel: Path, tmp_path: Path) -> None:
    """The command runs from the wheel without being installed."""
    started = (find_program(program), *words, wheel, "harness")
    told = run(*started, "--version", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert __version__ in told.stdout


def test_npx_runs_the_command(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`npx interactions-harness` is the command `harness`: its output, its exit code, from the packed file."""
    file = install_packed(tmp_path, tmp_path_factory, with_others=False)
    npx = find_program("npx")
    command = tmp_path / "harness-command"
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m harness "$@"\n', encoding="utf-8"
    )
    command.chmod(0o755)
    empty = tmp_path / "empty"
    empty.mkdir()
    entries = (
        (tmp_path, "--offline", "interactions-harness"),
        (empty, "--offline", "--yes", f"--package={file}", "--", "interactions-harness"),
    )
    for place, *words in entries:
        told = run(npx, *words, "--version", cwd=place, HARNESS_COMMAND=str(command))
        assert (told.returncode, __version__ in told.stdout) == (0, True), told.stderr
        wrong = run(npx, *words, "serv", cwd=place, HARNESS_COMMAND=str(command))
        assert (wrong.returncode, "serve" in wrong.stderr) == (2, True), wrong.stderr


def test_without_any_harness_it_says_what_to_do(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where neither the command nor what fetches it is installed, package and `npx` name the ways to get it."""
    install_packed(tmp_path, tmp_path_factory, with_others=False)
    node = find_program("node")
    only = tmp_path / "only-node"
    only.mkdir()
    (only / "node").symlink_to(node)
    told = run(node, "node_modules/interactions-harness/bin.js", "--version", cwd=tmp_path, PATH=str(only))
    assert told.returncode == 127
    assert "help: install it with `pip install interactions-harness`" in told.stderr
    program = (
        "import { start } from 'interactions-harness'; await start().catch((error) => console.log(error.message))"
    )
    told = run(node, "--input-type=module", "-e", program, cwd=tmp_path, PATH=str(only))
    assert told.stdout.startswith(
        "no harness was found: tried `harness`, `uvx`, `pipx`. Install it with `pip install"
    )
