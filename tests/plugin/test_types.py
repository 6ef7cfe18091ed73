"""A type checker finds typing errors in tests that annotate the fixtures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SOURCE = """
from harness.plugin import OtherCall, Chain, DroppedStream, InteractionsEmulator, Lifecycle, Sleeps

def test_right(interactions_emulator: InteractionsEmulator, interactions_no_sleep: Sleeps) -> None:
    interactions_emulator.reply("Hi", deltas=["H", "i"], match={"tool": "f"}).reply(lambda asked: asked.text)
    interactions_emulator.fail(404, on="get")
    interactions_emulator.change(event_ids="none")
    interactions_emulator.requests.assert_count("create", exactly=1)
    interactions_emulator.requests.assert_calls("create", "stream after …", OtherCall("GET /v1beta/files"))
    made = interactions_emulator.requests[0].interaction
    assert made is not None and made["id"] and interactions_no_sleep.total < 1

def test_wrong(
    interactions_emulator: InteractionsEmulator, interactions_lifecycle: Lifecycle, interactions_chain: Chain,
    interactions_dropped_stream: DroppedStream,
) -> None:
    interactions_emulator.reply(step=[])
    interactions_emulator.reply("Hi", status="complete")
    interactions_emulator.reply("Hi", match={"modle": "m"})
    interactions_emulator.fail(404, on="cancle")
    interactions_emulator.change(event_id="none")
    interactions_emulator.change(event_ids="nnoe")
    interactions_emulator.requests.assert_count("craete", exactly=1)
    interactions_emulator.requests[0].boddy
    interactions_lifecycle.assert_outcom("completed")
    interactions_chain.build("3")
    interactions_dropped_stream.assert_seen_once()
"""


CLIENTS = """
from harness.plugin import InteractionsEmulator

async def test_clients(interactions_emulator: InteractionsEmulator) -> None:
    with interactions_emulator.client() as client:
        reveal_type(client)
    async with interactions_emulator.async_client() as asynchronous:
        reveal_type(asynchronous)
"""
MYPY = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--config-file", "mypy.ini"]
SETTINGS = """
[mypy]
strict = true
mypy_path = PROJECT
[mypy-google.genai.*]
follow_imports = skip
[mypy-google.genai,google.genai.client]
follow_imports = silent
"""
"""Of the SDK, only the modules of the two types are read: the others take longer than all the rest."""
PYRIGHT = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable]
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The two files, and what a type checker needs to find the package."""
    (tmp_path / "test_typed.py").write_text(SOURCE, "utf-8")
    (tmp_path / "test_clients.py").write_text(CLIENTS, "utf-8")
    (tmp_path / "mypy.ini").write_text(SETTINGS.replace("PROJECT", str(PROJECT)), "utf-8")
    settings = {"extraPaths": [str(PROJECT)], "typeCheckingMode": "standard"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    return tmp_path


def run(command: list[str], folder: Path) -> str:
    """What a type checker prints in the folder of the two files."""
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False).stdout


def hold_errors(output: str) -> None:
    """Each line of the wrong test is an error of its own, and the right tests have none."""
    found = {(file, int(number)) for file, number in re.findall(r"(test_\w+\.py):(\d+):(?:\d+ -)? error", output)}
    lines = SOURCE.splitlines()
    first = next(number for number, line in enumerate(lines, 1) if "reply(step=" in line)
    assert found == {("test_typed.py", number) for number in range(first, len(lines) + 1)}, output


def test_mypy_finds_every_typo(folder: Path) -> None:
    """Strict mypy finds each, and a client is of google-genai's type where that is installed, else of any."""
    pytest.importorskip("mypy", reason="mypy is not installed: pip install -e '.[dev]'")
    pytest.importorskip("google.genai", reason="pip install -e '.[sdk]'")
    shown = [["google.genai.client.Client", "google.genai.client.AsyncClient"], ["Any", "Any"]]
    for words, revealed in zip(([], ["--no-site-packages"]), shown, strict=True):
        output = run([*MYPY, *words, "test_typed.py", "test_clients.py"], folder)
        hold_errors(output)
        assert re.findall(r'Revealed type is "([^"]*)"', output) == revealed


def test_pyright_finds_every_typo(folder: Path) -> None:
    """Pyright finds each, too."""
    pytest.importorskip("basedpyright", reason="basedpyright is not installed: pip install -e '.[dev]'")
    hold_errors(run([*PYRIGHT, "test_typed.py"], folder))
