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


MYPY = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--follow-imports=silent"]
PYRIGHT = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable]
FOUND = r"test_typed\.py:(\d+):(?:\d+ -)? error"


@pytest.mark.parametrize("checker", [MYPY, PYRIGHT], ids=["mypy", "pyright"])
def test_a_type_checker_finds_every_typo(checker: list[str], tmp_path: Path) -> None:
    """Each line of the wrong test is an error of its own, and the right test has none."""
    pytest.importorskip(checker[2], reason=f"{checker[2]} is not installed: pip install -e '.[dev]'")
    path = tmp_path / "test_typed.py"
    path.write_text(SOURCE, "utf-8")
    project = Path(__file__).parents[2]
    settings = {"extraPaths": [str(project)], "typeCheckingMode": "standard"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    where = tmp_path if checker is PYRIGHT else project
    done = subprocess.run([*checker, str(path)], capture_output=True, text=True, cwd=where, check=False)
    found = {int(number) for number in re.findall(FOUND, done.stdout)}
    lines = SOURCE.splitlines()
    first = next(number for number, line in enumerate(lines, 1) if "reply(step=" in line)
    assert found == set(range(first, len(lines) + 1)), done.stdout + done.stderr


CLIENTS = """
from harness.plugin import InteractionsEmulator

async def test_clients(interactions_emulator: InteractionsEmulator) -> None:
    with interactions_emulator.client() as client:
        reveal_type(client)
    async with interactions_emulator.async_client() as asynchronous:
        reveal_type(asynchronous)
"""
SDK = ["google.genai.client.Client", "google.genai.client.AsyncClient"]


@pytest.mark.parametrize(("options", "shown"), [((), SDK), (("--no-site-packages",), ["Any", "Any"])])
def test_a_client_has_the_type_of_the_sdk(options: tuple[str, ...], shown: list[str], tmp_path: Path) -> None:
    """A client is of google-genai's type where that is installed; without it, a strict test has no error."""
    pytest.importorskip("google.genai", reason="pip install -e '.[sdk]'")
    path = tmp_path / "test_typed.py"
    path.write_text(CLIENTS, "utf-8")
    command = [*MYPY, *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r'Revealed type is "([^"]*)"', done.stdout) == shown
