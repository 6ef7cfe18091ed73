"""The recipes of docs/javascript.md run unchanged, with the module that the command prints."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.resources import folder

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

DOCS = Path(__file__).resolve().parents[2] / "docs" / "javascript.md"
NODE = Path(__file__).parent / "node"
_EXAMPLE = re.compile(r"^```(?:js|ts)\n// ([\w.]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = dict(_EXAMPLE.findall(DOCS.read_text("utf-8")))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with every example of the page, the module, and a command `harness` of its own."""
    if shutil.which("node") is None:
        pytest.skip("no node on PATH")
    if not (NODE / "node_modules" / "vitest").is_dir():
        pytest.skip("run `npm install --prefix tests/e2e/node --no-package-lock` first")
    place = tmp_path_factory.mktemp("project")
    for name, source in EXAMPLES.items():
        (place / name).write_text(source, "utf-8")
    (place / "package.json").write_text('{"private": true, "type": "module"}', "utf-8")
    (place / "node_modules").symlink_to(NODE / "node_modules")
    assert main(["client", "js", "-o", str(place)]) == 0
    command = place / "harness-command"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n', "utf-8")
    command.chmod(0o755)
    return place


def run(project: Path, *words: str) -> str:
    """Run a program of the project, and return all that it printed; it must end well."""
    root = str(Path(__file__).resolve().parents[2])
    environment = {
        **os.environ,
        "HARNESS_COMMAND": str(project / "harness-command"),
        "PYTHONPATH": root,
        "CI": "1",
    }
    done = subprocess.run(
        words, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_page_names_the_versions_that_are_tried() -> None:
    """What the page installs is what its recipes run with."""
    tried = json.loads((NODE / "package.json").read_text("utf-8"))["dependencies"]
    (line,) = re.findall(r"npm install --save-dev (.*?)^```", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert line.replace("\\\n", " ").split() == [f"{name}@{version}" for name, version in sorted(tried.items())]


def test_node_test(project: Path) -> None:
    """The recipe for node:test passes, with @google/genai."""
    assert re.search(r"pass 4\b", run(project, "node", "--test", "chat.test.mjs"))


def test_recordings(project: Path) -> None:
    """The recipe for recordings passes, with a recording of a chain of turns."""
    shutil.copy(folder("cassettes") / "emulator" / "chain.yaml", project)
    assert re.search(r"pass 2\b", run(project, "node", "--test", "recorded.test.mjs"))


def test_vitest(project: Path) -> None:
    """The recipe for vitest passes, with the AI SDK."""
    assert "2 passed" in run(project, "node_modules/.bin/vitest", "run", "answer.spec.mjs")


def test_playwright(project: Path) -> None:
    """The recipe for Playwright passes; it needs no browser."""
    assert "2 passed" in run(project, "node_modules/.bin/playwright", "test", "--reporter=line")


def test_types(project: Path) -> None:
    """The declarations fit a small program, in strict mode."""
    options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck"]
    run(project, "node_modules/.bin/tsc", *options, "typed.ts")
