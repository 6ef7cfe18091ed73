"""The unmodified Node SDK goes through the documented lifecycle against `harness serve`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.serving import serving

pytestmark = pytest.mark.e2e
FOLDER = Path(__file__).parent / "node"


def play(script: str, *settings: str) -> dict[str, Any]:
    """The report of one run of a script against a server with these settings."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on PATH")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("run `npm install --prefix tests/e2e/node --no-package-lock` first")
    with serving(*(word for setting in settings for word in ("--setting", setting))) as base_url:
        environment = {**os.environ, "GOOGLE_GEMINI_BASE_URL": base_url, "GEMINI_API_KEY": "test-key"}
        done = subprocess.run(
            [node, script], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.slow
def test_every_operation_works() -> None:
    """Every operation of the resources that this SDK has gives the expected result; `pytest -s` prints them."""
    results = play("operations.mjs", "processing=0")
    version = json.loads((FOLDER / "node_modules/@google/genai/package.json").read_text())["version"]
    print("", f"@google/genai {version}", *(f"{name:45} {told}" for name, told in results.items()), sep="\n")  # noqa: T201
    assert {name: told for name, told in results.items() if told != "ok"} == {}
    assert len(results) >= 50
