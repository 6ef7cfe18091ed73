"""The programs of docs/samples run unchanged against `harness serve`, and show what they promise.

With SAMPLES_LIVE=1 and a key in GEMINI_API_KEY they run against the live service; then only their end counts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.built_once import build_once
from tests.e2e.serving import control, serving
from tests.transport.peers import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "docs" / "samples"
MODULES = Path(__file__).parent / "node" / "node_modules"
LIVE = bool(os.environ.get("SAMPLES_LIVE"))
SHOWS = {
    "agent": ["prints 6 * 7", "file: answer.py", "print 7 * 8"],
    "background": ["five kinds of bridges"],
    "files": ["Which city is larger"],
    "image": ["lighthouse-1.jpg: image/jpeg", "lighthouse-2.jpg: image/jpeg"],
    "long_decode": ["1 outputs", "completed"],
    "mcp": ["[microsoft_learn] microsoft_learn:", "characters were read"],
    "resume": ["the story of salt"],
    "speech": ["speech.wav: 16 bytes of audio/l16"],
    "streaming": ["four lines on rain", "(completed)"],
    "structured_output": ["1 minutes, 1 ingredients"],
    "text": ["My name is Ada", "And what was mine"],
    "thoughts": ["[thought] ", "24 tokens of thought"],
    "tool_search": ["loaded: get_", "called: get_"],
    "tools": ["characters were read"],
    "webhook": ["interaction.completed"],
}
"""What each sample prints against the emulator."""
FILES = [
    f"{language}/{name}.{end}" for language, end in (("python", "py"), ("javascript", "mjs")) for name in SHOWS
]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A server whose background runs end at the first look."""
    with serving("--setting", "ticks=0", "--setting", "event_ids=all") as url:
        yield url


IN_PYTHON = """
import contextlib, io, json, os, pathlib, runpy, sys, traceback
told = {}
for script in map(pathlib.Path, sys.argv[1:]):
    os.chdir(script.parent)
    printed, wrong = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(script), run_name="__main__")
    except BaseException:
        wrong = traceback.format_exc()
    told[script.stem] = printed.getvalue(), wrong
print(json.dumps(told))
"""
IN_NODE = """
import { writeSync } from "node:fs";
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
const told = {};
let name;
process.stdout.write = (text) => { told[name][0] += text; return true; };
process.on("exit", () => writeSync(1, JSON.stringify(told)));
for (const script of process.argv.slice(1)) {
  name = basename(script, ".mjs");
  told[name] = ["", ""];
  process.chdir(dirname(script));
  try { await import(pathToFileURL(script)); } catch (error) { told[name][1] = error.stack; }
}
"""
"""Both run samples in one process, as to import the SDK takes longer than any of them.

The last one is that of a webhook: it goes on after its last line.
"""


def run_command(command: list[str], base_url: str, folder: Path) -> str:
    """Run something in a folder, with the environment of a sample, and return what it printed."""
    environment = {**os.environ, "PORT": str(free_port())}
    if not LIVE:
        environment |= {"GOOGLE_GEMINI_BASE_URL": base_url, "GEMINI_API_KEY": "any"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def need(language: str) -> None:
    """Skip where the SDK of a language is missing."""
    if language == "python":
        pytest.importorskip("google.genai")
    elif shutil.which("node") is None or not MODULES.is_dir():
        pytest.skip("node and `npm install --prefix tests/e2e/node --no-package-lock` are needed")


def run(file: str, base_url: str, folder: Path) -> str:
    """Run a sample in an empty folder and return what it printed."""
    need(file.partition("/")[0])
    script = folder / Path(file).name
    shutil.copy(SAMPLES / file, script)
    (folder / "node_modules").symlink_to(MODULES)
    return run_command(["node" if script.suffix == ".mjs" else sys.executable, script.name], base_url, folder)


@pytest.fixture(scope="module", params=["python", "javascript"])
def printed(
    request: pytest.FixtureRequest, base_url: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[str, str]]:
    """What each sample of a language printed in an empty folder, and the traceback if it did not end well."""
    need(request.param)
    command = [sys.executable, "-c", IN_PYTHON]
    if request.param == "javascript":
        command = ["node", "--input-type=module", "--eval", IN_NODE]

    def build(place: Path) -> None:
        place.mkdir()
        (place / "node_modules").symlink_to(MODULES)
        scripts = []
        for name in SHOWS:
            (source,) = (SAMPLES / request.param).glob(f"{name}.*")
            (place / name).mkdir()
            scripts.append(shutil.copy(source, place / name))
        (place / "printed.json").write_text(run_command([*command, *map(str, scripts)], base_url, place), "utf-8")

    place = build_once(tmp_path_factory, f"samples-{request.param}", build)
    return json.loads((place / "printed.json").read_text("utf-8"))


@pytest.mark.parametrize("name", SHOWS)
def test_a_sample_runs(name: str, printed: dict[str, tuple[str, str]]) -> None:
    """It ends well, and prints what its feature brings."""
    told, wrong = printed[name]
    assert wrong == ""
    if not LIVE:
        assert [words for words in SHOWS[name] if words not in told] == [], told


@pytest.mark.skipif(LIVE, reason="nobody scripts the live service")
@pytest.mark.parametrize("end", ["python/{}.py", "javascript/{}.mjs"])
def test_a_long_answer_is_joined(end: str, base_url: str, tmp_path: Path) -> None:
    """The outputs of three hops are one text."""
    control(base_url, "scripts", {"text": "Knots hold. Knots slip. Knots end.", "hops": 3})
    told = run(end.format("long_decode"), base_url, tmp_path)
    assert told.splitlines() == ["3 outputs, 34 characters, completed", "Knots hold. Knots slip. Knots end."]


@pytest.mark.skipif(LIVE, reason="nobody cuts the live service")
@pytest.mark.parametrize(
    ("end", "event_ids"), [("python/{}.py", "all"), ("javascript/{}.mjs", "some"), ("javascript/{}.mjs", "none")]
)
def test_a_lost_connection_loses_nothing(end: str, event_ids: str, tmp_path: Path) -> None:
    """The stream is cut after seven events and read on, or read again if its events have no ids."""
    settings = ("--setting", "ticks=0", "--setting", f"event_ids={event_ids}")
    with serving("--fault", "event:7,rst", *settings) as url:
        control(url, "scripts", {"text": "Salt came from the sea.", "deltas": 6})
        told = run(end.format("resume"), url, tmp_path)
    assert told.splitlines()[-1] == "Salt came from the sea."


def test_both_languages_have_every_sample() -> None:
    """No sample is missing here, in the other language or on the page, and each can be seen at once."""
    there = {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*.*")}
    assert there == set(FILES)
    page = (ROOT / "docs" / "samples.md").read_text("utf-8")
    assert [file for file in FILES if f"(samples/{file})" not in page] == []
    assert {
        file: size for file in FILES if (size := len((SAMPLES / file).read_text("utf-8").splitlines())) > 40
    } == {}
