"""The built wheel in a separate environment: the plugin loads by itself, with everything it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

TOY = """
import httpx, pytest
from harness.resume import follow

def test_it(interactions_emulator, interactions_client):
    assert isinstance(interactions_client, httpx.Client)  # google-genai is not installed here
    interactions_emulator.reply("From the wheel.")
    body = {"model": "gemini-3.8-flash", "input": "Hi"}
    answer = interactions_client.post("/v1beta/interactions", json=body).json()
    assert answer["steps"][-1]["content"][0]["text"] == "From the wheel."

@pytest.mark.interactions_dropped_stream(cuts=["event:7,rst", "event:5+20,end"])
def test_drops(interactions_dropped_stream, interactions_client, interactions_no_sleep):
    interactions_dropped_stream.assert_seen_once(list(follow(interactions_client, interactions_dropped_stream.id)))
"""


def shell(*command: str | Path, cwd: Path) -> str:
    """Run a command outside the checkout, with nothing of this process' Python in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


def test_plugin_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """A toy repository beside the installed wheel uses the fixtures without any configuration."""
    shell(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if uv is not None:  # it takes a tenth of pip's time
        shell(uv, "pip", "install", "--quiet", "--python", python, wheel, "pytest", cwd=tmp_path)
    else:
        install = ("install", "--quiet", "--no-compile", wheel, "pytest")  # most modules are never imported here
        shell(sys.executable, "-m", "pip", "--python", python, *install, cwd=tmp_path)
    toy = tmp_path / "toy"
    toy.mkdir()
    (toy / "test_toy.py").write_text(TOY, "utf-8")
    assert "3 passed" in shell(python, "-m", "pytest", "-q", "-W", "error", cwd=toy)
    suite = ("-m", "pytest", "-q", "--pyargs", "harness.suite", "--interactions-url", "emulator", "-k", "create.")
    assert " passed" in shell(python, *suite, cwd=toy)
