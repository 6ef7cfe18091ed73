"""Completion, in the shells themselves: what TAB offers after the script of `harness completion` was read."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.cli.arguments import load_options
from harness.cli.commands.completion import build_tree
from harness.cli.main import COMMANDS
from tests.cli.conftest import Harness

_ASK = {
    "bash": """
eval "$(harness completion bash)"
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
compopt() {{ :; }}
_shtab_harness harness "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "fish": "harness completion fish | source; complete -C {line}",
    "zsh": """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PROMPT=; autoload -U compinit; compinit -u -D; eval "$(harness completion zsh)"; print re""ady'
zpty -r -m shell text '*ready*'
zpty -w -n shell {line}$'\\t\\t'
zpty -r -m shell text '*{until}*'
print -r -- "$text"
""",
}
"""How each shell is asked what it would offer."""


@pytest.fixture(params=["bash", "fish", "zsh"])
def shell(request: pytest.FixtureRequest) -> str:
    """A shell that is installed here."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture
def path_with_harness(tmp_path: Path) -> str:
    """A PATH on which `harness` is this one."""
    script = tmp_path / "bin" / "harness"
    script.parent.mkdir()
    root = Path(__file__).parents[2]
    script.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {sys.executable} -m harness "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return f"{script.parent}{os.pathsep}{os.environ['PATH']}"


def ask(shell: str, path: str, line: str, until: str) -> str:
    """What the shell offers for a line, with the cursor at its end."""
    words = " ".join(f'"{word}"' for word in line.split(" "))
    script = _ASK[shell].format(words=words, line=f"'{line}'", until=until)
    done = subprocess.run(
        [shell, *(["--no-config"] if shell == "fish" else []), "-c", script],
        capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "PATH": path, "TERM": "xterm", "COLUMNS": "200"},
    )  # fmt: skip
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "offered", "never"),
    [
        ("harness check --pro", ["--profile"], "--api-key"),
        ("harness explain cancel.s", ["cancel.state", "cancel.schema"], "cancel.ok"),
        ("harness replay --mode ", ["strict", "resume"], "emulator"),
    ],
)
def test_a_shell_offers(line: str, offered: Sequence[str], never: str, shell: str, path_with_harness: str) -> None:
    """Commands, options, their values, and names of checks and mutants are offered; what does not fit is not."""
    seen = ask(shell, path_with_harness, line, max(offered))
    assert [word for word in offered if word not in seen] == []
    assert never not in seen


def test_the_parser_knows_every_option() -> None:
    """Each command is there with its options; a path stands where no word is known."""
    tree = build_tree()
    [commands] = [action for action in tree._actions if isinstance(action, argparse._SubParsersAction)]
    assert {*commands.choices} == {*COMMANDS}
    for name, parser in commands.choices.items():
        offered = [item for item in load_options(name).list_options().values() if not item.only_in_file]
        flags = {flag for item in offered for flag in item.list_flags()}
        assert flags <= set(parser._option_string_actions)
    check = commands.choices["check"]._option_string_actions
    assert "html=" in (check["--report"].choices or ())
    assert check["--baseline"].choices is None


def test_without_shtab_the_package_is_named(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that has it is the next step."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = harness("completion", "bash")
    assert (done.code, "pip install 'interactions-harness[completion]'" in done.err) == (2, True)
