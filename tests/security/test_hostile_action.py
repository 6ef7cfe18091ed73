"""The composite action in a checked-out tree that a stranger wrote: nothing of the tree is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.security.test_hostile_folder import KEY, plant

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))

BACKEND = """
import pathlib, zipfile

INFO = "interactions_harness-0.0.0.dist-info"

def build_wheel(folder, *_):
    name = "interactions_harness-0.0.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("harness/__init__.py", "")
        wheel.writestr("harness/__main__.py", "import sys; print(sys.argv[1:])")
        wheel.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\\nName: interactions-harness\\nVersion: 0\\n")
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{INFO}/RECORD", "")
    return name
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the scripts are for bash")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checked-out tree with all that Python, pip and npm would run or obey, and a runner's folders beside it."""
    source = tmp_path / "action"
    source.mkdir()
    (source / "backend.py").write_text(BACKEND, encoding="utf-8")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n', encoding="utf-8"
    )
    (tmp_path / "temp").mkdir()
    tree = tmp_path / "tree"
    tree.mkdir()
    plant(tree, tmp_path / "ran")
    (tree / "python3").write_text(f"#!/bin/sh\necho program >> {tmp_path}/ran\n", encoding="utf-8")
    (tree / "python3").chmod(0o755)
    (tree / "pip.conf").write_text("no configuration: pip ends if it reads this", encoding="utf-8")
    (tree / ".npmrc").write_text("registry=http://127.0.0.1:9/\n", encoding="utf-8")
    return tree


def run_step(tree: Path, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step of the action in the tree, with the variables that its inputs become."""
    (step,) = [step for step in ACTION["runs"]["steps"] if step["name"] == name]
    defaults = {
        "PYTHON": sys.executable, "EXTRAS": "fast", "SOURCE": str(tree.parent / "action"), "COMMAND": "check",
        "ARGUMENTS": "emulator", "REPORTS": "reports", "API_KEY": KEY, "CONFIG": "false",
    }  # fmt: skip
    given = {variable: inputs.get(variable, defaults[variable]) for variable in step["env"]}
    runner = {"RUNNER_TEMP": str(tree.parent / "temp"), "GITHUB_OUTPUT": str(tree.parent / "output")}
    hostile = {"PYTHONPATH": f".{os.pathsep}{tree}", "PIP_CONFIG_FILE": "pip.conf", "PIP_NO_INDEX": "1"}
    return subprocess.run(
        ["bash", "-c", step["run"]],
        cwd=tree,
        env={**os.environ, **runner, **hostile, **given},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_action_runs_nothing_of_the_tree(tree: Path) -> None:
    """Neither installing nor running starts what lies in the tree; the harness is the one that was installed."""
    installed = run_step(tree, "Install")
    assert installed.returncode == 0, installed.stderr
    ran = run_step(tree, "Run")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("['check', '--no-config', 'emulator', '--report', ")
    assert not (tree.parent / "ran").exists(), (tree.parent / "ran").read_text("utf-8")


@pytest.mark.parametrize(
    ("step", "inputs"),
    [
        ("Install", {"EXTRAS": "fast] @ http://127.0.0.1:9/x.whl#"}),
        ("Install", {"EXTRAS": "$(touch ran)"}),
        ("Run", {"COMMAND": "../../check"}),
        ("Run", {"COMMAND": "serve"}),
        ("Run", {"REPORTS": "reports\nreports=/etc"}),
    ],
)
def test_the_action_refuses_inputs_that_mean_something_else(step: str, inputs: dict[str, str], tree: Path) -> None:
    """An input is a name of what it says, or it is refused before anything runs."""
    done = run_step(tree, step, **inputs)
    assert done.returncode == 2, done.stdout
    assert not (tree.parent / "temp" / "interactions-harness").exists()
    assert not (tree / "ran").exists()


def test_the_action_searches_for_secrets_without_reports(tree: Path) -> None:
    """`verify --secrets` has no report: the action names none, so that the command can be run at all."""
    (tree.parent / "temp" / "interactions-harness" / "bin").mkdir(parents=True)
    python = tree.parent / "temp" / "interactions-harness" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    for words in ("--secrets\ncassettes", "cassettes\n--secrets"):
        done = run_step(tree, "Run", COMMAND="verify", ARGUMENTS=words)
        assert done.stdout.split() == ["-I", "-m", "harness", "verify", "--no-config", *words.split()], done.stderr
    assert "html=./reports/verify.html" in run_step(tree, "Run", COMMAND="verify", ARGUMENTS="cassettes").stdout
