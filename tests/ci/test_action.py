"""The action, the hooks and the examples of docs/ci.md, as far as they run without a CI system."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
PAGE = (ROOT / "docs" / "ci.md").read_text("utf-8")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the scripts are for bash")


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A folder as a runner has it, with the harness where the step `Install` puts it."""
    folder = tmp_path / "interactions-harness" / "bin"
    folder.mkdir(parents=True)
    for name, words in (("python", ""), ("harness", "-m harness ")):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n', encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def run_step(
    runner: Path, command: str, *arguments: str, key: str = "", config: str = "false"
) -> subprocess.CompletedProcess[str]:
    """Run the step `Run` of the action."""
    (step,) = [step for step in ACTION["runs"]["steps"] if step["name"] == "Run"]
    given = {"COMMAND": command, "ARGUMENTS": "\n".join(arguments), "REPORTS": "out reports", "API_KEY": key}
    given["CONFIG"] = config
    assert step["env"].keys() == given.keys()
    runs = {"RUNNER_TEMP": str(runner), "GITHUB_OUTPUT": str(runner / "output"), "GITHUB_ACTIONS": "true"}
    environment = {**os.environ, **given, **runs, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", step["run"]], cwd=runner, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_check_leaves_its_reports(runner: Path) -> None:
    """A green run exits with 0, tells it as an output and a notice, and leaves three reports."""
    done = run_step(runner, "check", "emulator", "-c", "get.*")
    assert (done.returncode, (runner / "output").read_text()) == (0, "reports=./out reports\nexit-code=0\n"), (
        done.stderr
    )
    assert {path.name for path in (runner / "out reports").iterdir()} == {"check.html", "check.json", "check.xml"}
    assert "::notice title=Interactions API::" in done.stdout


@pytest.mark.slow
def test_a_failure_is_one_of_the_step(runner: Path) -> None:
    """A finding makes the step fail, and is annotated at its file; an argument may hold a space."""
    recording = runner / "a recording.sse"
    recording.write_text('event: step.delta\ndata: {"event_type": "step.delta"}\n\n', encoding="utf-8")
    done = run_step(runner, "verify", str(recording))
    assert (done.returncode, (runner / "output").read_text()) == (1, "reports=./out reports\nexit-code=1\n"), (
        done.stderr
    )
    assert f"::error file={recording},title=" in done.stdout


@pytest.mark.slow
def test_a_client_is_what_follows_two_dashes(runner: Path) -> None:
    """Reports are named before the client's command line, whose words stay as they are."""
    done = run_step(runner, "torture", "--", "sh", "-c", "exit 7 # $HOME *")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the client gave up: exit code 7" in done.stderr


@pytest.mark.slow
def test_a_key_is_not_shown(runner: Path) -> None:
    """The key reaches the command as a variable and is in no output."""
    key = "AIza" + "x" * 35
    done = run_step(runner, "check", "http://127.0.0.1:1", key=key)
    assert done.returncode == 4
    assert key not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("config", "code"), [("false", 0), ("true", 3)])
def test_the_tree_is_asked_only_on_request(config: str, code: int, runner: Path) -> None:
    """A file of the checked-out tree excludes all that the caller asks for."""
    (runner / "pyproject.toml").write_text('[tool.harness]\nexclude = ["get.*"]\n')
    done = run_step(runner, "check", "emulator", "-c", "get.*", config=config)
    assert done.returncode == code, done.stdout + done.stderr


def test_no_input_is_pasted_into_a_script() -> None:
    """Inputs reach scripts as variables only: pasted text could run as a command."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], step["name"]


def test_the_commands_of_the_action_are_there() -> None:
    """Whatever the action says it runs is a command."""
    assert set(re.findall(r"\w+", ACTION["inputs"]["command"]["description"])) - {"or"} <= set(COMMANDS)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_accepts_what_is_clean(hook: dict[str, Any], runner: Path) -> None:
    """Each hook passes our own recordings, as pre-commit calls it: entry, `args`, files."""
    files = sorted((ROOT / "cassettes").rglob("*.yaml"))[:3]
    assert all(re.search(hook["files"], str(path)) for path in files)
    done = run_hook(hook, runner, *files)
    assert done.returncode == 0, done.stdout + done.stderr


def run_hook(hook: dict[str, Any], runner: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    """Run a hook on files."""
    program, *words = [*hook["entry"].split(), *hook["args"]]
    command = [str(runner / "interactions-harness" / "bin" / program), *words, *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_page_shows_what_is_there() -> None:
    """The examples are valid YAML that names inputs and hooks that exist; the shell lines run."""
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    github, gitlab, *_, hooks = blocks
    (step,) = [step for step in github["jobs"]["conformance"]["steps"] if "harness" in step.get("uses", "")]
    assert step["with"].keys() <= ACTION["inputs"].keys()
    assert {hook["id"] for hook in hooks["repos"][0]["hooks"]} == {hook["id"] for hook in HOOKS}
    assert any("harness check" in line for line in gitlab["conformance"]["script"])


@pytest.mark.slow
def test_the_lines_of_a_shell_run(runner: Path) -> None:
    """What the page says for any other system, with the harness that is installed already."""
    (script,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = [line for line in script.splitlines() if "venv" not in line and 'pip" install' not in line]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "installed": str(runner / "interactions-harness")}
    assert lines[0].startswith("folder=$(mktemp -d)")  # where a stranger put nothing
    script = "\n".join(["folder=$installed", *lines[1:]])
    done = subprocess.run(["sh", "-e", "-c", script], cwd=runner, env=variables, check=False)
    assert done.returncode == 0
    assert (runner / "junit.xml").is_file()
