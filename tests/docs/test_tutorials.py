"""README and tutorials are followed to the letter in an empty folder: their files, commands, and what these print.

A line `…` stands for any lines, and `…` within a line for any characters. `pip install` and `npm install` are not
run: the page for JavaScript finds the package packed and installed.

The other pages show samples of output. A comment before each, `<!-- printed by: COMMAND -->`, names a command that
prints it, or the tutorial whose commands do. Numbers and line breaks may differ.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.packed import install_packed
from tests.transport.peers import free_port

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
README = ROOT / "README.md"
ANY = "…"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the commands are for a shell of POSIX"),
]


class Block(NamedTuple):
    """A fenced block: `title` names the file that it is, `kind` its language."""

    kind: str
    title: str
    text: str


def read_blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    fence = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    for kind, title, text in fence.findall(page.read_text("utf-8")):
        yield Block(kind, title, text)


def split_commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block with the lines that it prints."""
    command, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, lines
            command, lines = line.removeprefix("$ "), []
        else:
            lines.append(line)
    yield command, lines


def pattern_of(lines: list[str]) -> re.Pattern[str]:
    """What matches the output that a page shows."""
    parts = [
        r"(?:.*\n)*?" if line == ANY else ".*".join(map(re.escape, line.split(ANY))) + r"[ ]*\n" for line in lines
    ]
    return re.compile("".join(parts))


@pytest.fixture
def shell(tmp_path: Path, lean: dict[str, str]) -> dict[str, str]:
    """The environment of somebody who has installed the harness, with nothing else set."""
    programs = tmp_path / ".programs"
    programs.mkdir()
    for name, module in (("harness", "harness"), ("pytest", "pytest -p harness.pytest_plugin")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    keep = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    quiet = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**keep, **quiet, **lean, "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.stem)
def test_a_page_holds(
    page: Path,
    tmp_path: Path,
    shell: dict[str, str],
    lean: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Every command prints what the page shows. Who reads the README has the application of the first tutorial."""
    if page is README:
        app = next(block for block in read_blocks(PAGES[0]) if block.title)
        (tmp_path / app.title).write_text(app.text, encoding="utf-8")
    shell["PYTHONPATH"] += os.pathsep + lean["PYTHONPATH"]
    if page.stem == "javascript":
        install_packed(tmp_path, tmp_path_factory, with_others=False)
    if page.stem == "migrate":
        shell["PYTEST_PLUGINS"] = "pytest_recording.plugin"  # an installed one loads itself
    printed = list[str]()
    for block in read_blocks(page):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        elif block.kind == "console":
            for command, lines in split_commands(block.text):
                if command.startswith(("pip install", "npm install")):
                    continue
                printed.append(run(command, tmp_path, shell))
                assert pattern_of(lines).fullmatch(printed[-1]), f"$ {command}\n{printed[-1]}"
    assert len(printed) >= 2
    for sample in SAMPLES.get(f"tutorials/{page.name}", ()):
        sample.hold("".join(printed))


def run(command: str, folder: Path, shell: dict[str, str]) -> str:
    """All that a command prints."""
    words = ["sh", "-c", command]
    together = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(words, cwd=folder, env=shell, timeout=300, check=False, **together).stdout


def test_the_pages_are_there() -> None:
    """One for each kind of user."""
    assert [page.stem for page in PAGES] == [
        "application",
        "client",
        "implementation",
        "javascript",
        "migrate",
        "recordings",
    ]
    assert {command for command in SAMPLES if command.endswith(".md")} <= {
        f"tutorials/{page.name}" for page in PAGES
    }


class Sample(NamedTuple):
    """Output that a page shows."""

    page: str
    text: str

    def hold(self, printed: str) -> None:
        """Its words are those of the output, in this order."""
        out = re.sub(r"^E\s+|^\[\d+/\d+\] .*\n", "", printed, flags=re.MULTILINE)  # what takes long is told
        at = 0
        for part in filter(None, map(str.split, self.text.split(ANY))):
            words = r"\s+".join(re.sub(r"\d+", r"\\d+", re.escape(word)) for word in part)
            found = re.compile(words).search(out, at)
            assert found, f"docs/{self.page}: the output lacks this from here on: {' '.join(part)}\n{out}"
            at = found.end()


def read_samples() -> dict[str, list[Sample]]:
    """By command, the output in all pages but the tutorials. Each block of the kind `text` is output."""
    samples = defaultdict[str, list[Sample]](list)
    fence = re.compile(
        r"(?:^<!-- printed by: ([^\n]+) -->\n)?^```(text|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL
    )
    for page in sorted(DOCS.glob("*.md")):
        for command, kind, text in fence.findall(page.read_text("utf-8")):
            if kind == "text" or command:
                samples[command].append(Sample(page.name, "\n".join(_shown(text))))
                continue
            for typed, lines in split_commands(text):
                if lines and not typed.endswith("\\"):
                    samples[typed].append(Sample(page.name, "\n".join(lines)))
    return samples


def _shown(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("$ ")]


def read_examples(page: Path) -> Iterator[tuple[str, str]]:
    """The named files of a page in Python."""
    yield from re.findall(
        r"^```python\n# (\w+\.py)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


GATEWAY = """
import os, sys, threading
from lab.gateways import MUTANTS
from harness.transport.proxy import UpstreamServer
from harness.transport.server.server import InThread, WaitingServer

mutant = MUTANTS[sys.argv[2]].build(UpstreamServer(os.environ["HARNESS_UPSTREAM_URL"]))
with InThread(WaitingServer(mutant, port=int(sys.argv[1]))):
    threading.Event().wait()
"""
FAILING_TESTS = """
import contextlib
from app import read_stream


def test_statuses(interactions_torture):
    interactions_torture(read_stream, only=["statuses"])


def test_requests(interactions_emulator, interactions_client):
    create = {"model": "gemini-3.8-flash", "input": "Hi"}
    calls = interactions_client.interactions
    with contextlib.suppress(Exception):
        calls.create(**create, extra_body={"inputs": "Hi"})
    interactions_emulator.drop("event:5,rst")
    with contextlib.suppress(Exception):
        list(calls.create(**create, stream=True))
    for _ in range(3):
        with contextlib.suppress(Exception):
            calls.get("v1_x")
    raise AssertionError
"""
"""The files that the commands of samples name and no page has."""


SAMPLES = read_samples()


@pytest.mark.parametrize("command", [command for command in SAMPLES if not command.startswith("tutorials/")])
def test_a_sample_is_what_the_command_prints_today(command: str, tmp_path: Path, shell: dict[str, str]) -> None:
    """All samples of a command are in what it prints once."""
    wrong = [
        f"docs/{one.page}: write `<!-- printed by: COMMAND -->` above this:\n{one.text}"
        for one in SAMPLES.get("", ())
    ]
    assert command, wrong
    files = {"gateway.py": GATEWAY, "test_sample.py": FAILING_TESTS}
    for page in ("pytest.md", "pytest-reference.md"):
        files |= dict(read_examples(DOCS / page))
    for name, source in files.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    printed = run(command.replace("{port}", str(free_port())), tmp_path, shell)
    for sample in SAMPLES[command]:
        sample.hold(printed)
