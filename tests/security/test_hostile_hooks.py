"""The hooks for pre-commit, run in a tree that the user did not write: nothing of it is run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.outcome import Exit

ROOT = Path(__file__).parents[2]
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
PACKAGES = ("harness", "pip", "venv", "yaml", "msgspec")
MODULES = ("sitecustomize", "usercustomize", "conftest", "runpy", "json", "evil")
RECORDING = 'event: interaction.completed\ndata: {"event_type": "interaction.completed"}\n\n'


def list_words(hook: dict[str, Any]) -> list[str]:
    """What pre-commit runs; it puts the names of the changed files behind."""
    return [*shlex.split(hook["entry"]), *hook["args"]]


@pytest.mark.slow
@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_hook_runs_nothing_of_the_tree(hook: dict[str, Any], tmp_path: Path) -> None:
    """No module of the tree hides ours or Python's, and its configuration runs no code and writes no file."""
    tree, marker = tmp_path / "tree", tmp_path / "ran"
    code = f"open({str(marker)!r}, 'a').write(__file__)\n"
    for name in PACKAGES:
        (tree / name).mkdir(parents=True)
        for module in ("__init__.py", "__main__.py"):
            (tree / name / module).write_text(code, encoding="utf-8")
    for name in MODULES:
        (tree / f"{name}.py").write_text(code, encoding="utf-8")
    (tree / ".npmrc").write_text("registry=http://127.0.0.1:9/\n", encoding="utf-8")
    (tree / "cassettes").mkdir()
    (tree / "cassettes" / "a.sse").write_text(RECORDING, encoding="utf-8")
    program, *words = list_words(hook)
    assert program == "python"  # that of the environment that pre-commit made: our own here
    variables = {**os.environ, "PYTHONPATH": str(tree), "PYTHONSTARTUP": str(tree / "evil.py")}
    judged = {"interactions-secrets": Exit.OK, "interactions-verify": Exit.FAILED}[hook["id"]]
    for planted, code, said in (
        ('[tool.harness]\nextension = ["evil.py"]\n', Exit.USAGE, "a configuration file cannot set it"),
        ('[tool.harness.verify]\nreport = ["json=../victim"]\n', Exit.USAGE, "is outside"),
        # It would judge nothing.
        ("[tool.harness.verify]\nsecrets = true\n", Exit.USAGE, "a configuration file cannot set it"),
        ("", judged, ""),
    ):
        (tree / "pyproject.toml").write_text(planted, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *words, "cassettes/a.sse"], cwd=tree, env=variables, capture_output=True, text=True
        )
        assert not marker.exists(), marker.read_text("utf-8")
        assert done.returncode == code, (planted, done.stderr)
        assert said in done.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["tree"]
        assert not (tree / "victim.json").exists()


KEY = "AIza" + "SyD4kQ7wXe9RtYbN2mPzL5vCfGh8JuKiT1o"
EXCUSES = "entries:\n- {id: '*', reason: ours}\n"
QUIET = 'strict = false\nempty-ok = true\nbaseline = "excuses.yaml"\n'


@pytest.mark.parametrize(
    "planted",
    ["", QUIET, "secrets = false\n", 'revision = "."\n', 'report = ["json=cassettes/a.sse"]\n', "not a table"],
)
def test_no_file_of_the_tree_stops_the_search_for_secrets(planted: str, tmp_path: Path) -> None:
    """A recording with a key fails the hook, whatever the tree sets; a tree cannot turn the hook into another."""
    (tmp_path / "cassettes").mkdir()
    (tmp_path / "cassettes" / "a.sse").write_text(RECORDING.replace("data: {", f'data: {{"k": "{KEY}", '), "utf-8")
    (tmp_path / "excuses.yaml").write_text(EXCUSES, "utf-8")
    (tmp_path / "pyproject.toml").write_text(f"[tool.harness.verify]\n{planted}", "utf-8")
    _, *words = list_words(next(hook for hook in HOOKS if hook["id"] == "interactions-secrets"))
    done = subprocess.run(
        [sys.executable, *words, "cassettes/a.sse"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode in (Exit.FAILED, Exit.USAGE), done.stderr
    assert ("1 possible secret" in done.stdout) is (done.returncode == Exit.FAILED)
    assert planted not in ("", QUIET) or done.returncode == Exit.FAILED, done.stderr
    assert KEY not in done.stdout + done.stderr
