"""Every command starts where no extra is installed, and does what needs none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import COMMANDS

EXTRAS = (
    "hypothesis",
    "schemathesis",
    "vcr",
    "uvloop",
    "tree_sitter",
    "google.genai",
    "httpx2",
    "pytest",
    "mkdocs",
)

RUN = f"""
import sys
for name in {EXTRAS!r}:
    sys.modules[name] = None  # its import raises ImportError, as if it were not there
from harness.cli import main
for words in [words.split() for words in sys.argv[1:]]:
    try:
        code = main(words)
    except SystemExit as ended:
        code = ended.code
    print("ENDED", *words, code, flush=True)
"""


def run_without_extras(folder: Path, *commands: str) -> list[str]:
    """Run commands of `harness` in one process, and return the exit code of each after its words."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *commands],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return [line.removeprefix("ENDED ") for line in done.stdout.splitlines() if line.startswith("ENDED ")]


@pytest.mark.slow
def test_each_command_explains_itself(tmp_path: Path) -> None:
    """`--help` works for each command."""
    assert run_without_extras(tmp_path, *(f"{name} --help" for name in COMMANDS)) == [
        f"{name} --help 0" for name in COMMANDS
    ]


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    """A command that needs an extra ends as a usage error."""
    commands = ("fuzz emulator", "record --cassette a.yaml http://127.0.0.1:9")
    assert run_without_extras(tmp_path, *commands) == [f"{words} 2" for words in commands]
