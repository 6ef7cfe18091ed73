"""Completion, in the shells themselves: what TAB offers after the script of `harness completion` was read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.cli.commands.completion import complete, describe_command, read_command
from harness.cli.main import COMMANDS
from tests.cli.conftest import Harness

_ASK = {
    "bash": """
eval "$(harness completion bash)"
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
compopt() {{ :; }}
_harness
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


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


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
        pytest.param("harness tor", ["torture"], "check", marks=pytest.mark.thorough),
        ("harness check --pro", ["--profile"], "--api-key"),
        ("harness explain cancel.s", ["cancel.state", "cancel.schema"], "cancel.ok"),
        pytest.param(
            "harness serve --mutant cancel-n",
            ["cancel-noop", "cancel-needs-body"],
            "cancel-missing",
            marks=pytest.mark.thorough,
        ),
        ("harness check --color ", ["always", "never"], "emulator"),
    ],
)
def test_a_shell_offers(line: str, offered: Sequence[str], never: str, shell: str, path_with_harness: str) -> None:
    """Commands, options, their values, and names of checks and mutants are offered; what does not fit is not."""
    seen = ask(shell, path_with_harness, line, max(offered))
    assert [word for word in offered if word not in seen] == []
    assert never not in seen


@pytest.mark.slow
@pytest.mark.parametrize(
    "program", ["./harness", "../other/harness", pytest.param("bin/harness", marks=pytest.mark.thorough)]
)
def test_a_tab_starts_no_program_of_the_folder(
    program: str, shell: str, tmp_path: Path, path_with_harness: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell asks before the user has said to run what stands there; the `harness` on PATH answers."""
    folder = tmp_path / "folder"
    planted, ran = folder / program, tmp_path / "ran"
    for parent in (folder, planted.parent):
        parent.mkdir(exist_ok=True)
    planted.write_text(f"#!/bin/sh\necho ran > {ran}\n", encoding="utf-8")
    planted.chmod(0o755)
    monkeypatch.chdir(folder)
    for word in (program, planted):
        assert "torture" in ask(shell, path_with_harness, f"{word} tor", "torture")
    assert not ran.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_options(command: str) -> None:
    """Each command offers its own help, and each of its options is told in words."""
    found = complete([command], "--", describe_command)
    assert "--help" in [candidate.word for candidate in found]


def test_values_follow_their_option() -> None:
    """What an option takes is offered behind it and nowhere else; a file stands where nothing is known."""
    assert "must" not in [candidate.word for candidate in complete(["check"], "", describe_command)]
    assert [one.word for one in complete(["check", "emulator", "--report"], "ht", describe_command)] == ["html="]
    assert complete(["check", "--baseline"], "", describe_command) == []
    assert complete(["check", "--report", "html", "="], "pa", describe_command) == []


def test_the_command_of_a_client_is_its_own() -> None:
    """Behind `--` stands somebody else's command line."""
    assert complete(["torture", "--"], "p", describe_command) == []
    assert complete(["no-such-command"], "", describe_command) == []


def test_what_a_command_takes_is_found_out_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first TAB keeps it, later ones read it, unless other code wrote it or it is damaged."""
    first = read_command("verify")
    (file,) = cache.rglob("*.json")
    assert first == describe_command("verify")
    with monkeypatch.context() as patched:
        patched.setattr(
            "harness.cli.commands.completion.describe_command", lambda name: pytest.fail("asked again")
        )
        assert read_command("verify") == first
    for damaged in ("", "[]", "{}", "[1, 2]", file.read_text("utf-8").replace("harness", "other", 1)):
        file.write_text(damaged, "utf-8")
        assert read_command("verify") == first
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert read_command("verify") == first, "a cache that cannot be written is none"


def test_a_reply_from_the_cache_imports_no_command() -> None:
    """A press of TAB costs as much as `harness --version`: only what completes is imported."""
    script = (
        "import sys; from harness.cli import main; main(['completion', 'bash', '--reply', *sys.argv[1:]]); "
        "print(*(name for name in sys.modules if name.startswith('harness.')), file=sys.stderr)"
    )
    read_command("check")
    for words, reply in ((["check", "--pro"], "--profile\n"), (["tor"], "torture\n")):
        done = subprocess.run(
            [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout == reply
        assert {name.split(".")[1] for name in done.stderr.split()} <= {"cli", "errors", "outcome", "wire"}


def test_reply_bears_any_words(harness: Harness) -> None:
    """What a user has typed so far may be half an option, or a lone `--`: completion never complains."""
    for words in (["check", "--"], ["--", "x"], ["check", "--capability", "-"], []):
        done = harness("completion", "bash", "--reply", *words)
        assert (done.code, done.err) == (0, "")
