"""The lines of docs/resume.md that make weak clients safe do so: each is played the table of clients."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.benches.client.ready import find_ready, install
from harness.resources import folder

pytestmark = pytest.mark.e2e

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "resume.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```(?:python|js)\n(?:#|//) (safe_\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
SAFE = {"exact", "recovered", "could-not"}
QUICK = (
    "no-fault,reset,clean-end,half-event,no-completion,broken-json,twice,error-no-cursor,bare-error,reset-no-ids"
)
SLOW = "noise,inclusive,always-reset,resume-503,lost-head,503,failed,cancelled,incomplete"

GENAI = """
from google import genai
from safe_genai import ask
from tasks import CREATE, answer_tasks

def read(task):
    client = genai.Client(api_key="any", http_options={"base_url": task["base_url"], "timeout": 4000})
    found = ask(client, **CREATE)
    return {"text": found.output_text or "", "status": found.status}

answer_tasks(read)
"""
LOOP = """
from google import genai
from safe_loop import follow
from tasks import answer_tasks

def read(task):
    client = genai.Client(api_key="any", http_options={"base_url": task["base_url"], "timeout": 4000})
    text, status = follow(client, task["interaction"])
    return {"text": text, "status": status}

answer_tasks(read)
"""
AI_SDK = """
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { ask } from "./safe_ai_sdk.mjs";
import { answerTasks } from "./tasks.mjs";

await answerTasks(async (task) => {
  const google = createGoogleGenerativeAI({ baseURL: `${task.base_url}/v1beta`, apiKey: "any" });
  return { text: await ask(google.interactions("gemini-3.5-flash"), "Go.") };
});
"""


def outcomes(command: Sequence[str], cwd: Path, *words: str) -> dict[str, str]:
    """The outcome of each fault of the table."""
    torture = [sys.executable, "-m", "harness", "torture", "--json", "--set", "table", "--loop", *words, "--"]
    done = subprocess.run([*torture, *command], cwd=cwd, capture_output=True, text=True, timeout=200, check=False)
    assert done.stdout, done.stderr
    cases: list[dict[str, Any]] = json.loads(done.stdout)["cases"]
    return {case["kind"]: case["outcome"] for case in cases}


def write_programs(place: Path, name: str, program: str) -> str:
    """Write the page's lines, a program around them and the drivers' helpers; return the program's path."""
    for helper in ("tasks.py", "tasks.mjs"):
        shutil.copy(folder("docs/clients") / "drivers" / helper, place)
    (place / name).write_text(BLOCKS[name], "utf-8")
    path = place / f"program{Path(name).suffix}"
    path.write_text(program, "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "program", "mode"), [("safe_genai.py", GENAI, "background"), ("safe_loop.py", LOOP, "follow")]
)
@pytest.mark.parametrize("kinds", [QUICK, pytest.param(SLOW, marks=pytest.mark.peers)], ids=["quick", "slow"])
def test_python(tmp_path: Path, name: str, program: str, mode: str, kinds: str) -> None:
    """google-genai with a few lines around it, and the documented loop mended, are right in every case."""
    pytest.importorskip("google.genai", reason="pip install -e '.[sdk]'")
    path = write_programs(tmp_path, name, program)
    found = outcomes([sys.executable, path], tmp_path, "--mode", mode, "--kinds", kinds)
    assert set(found) == set(kinds.split(","))
    assert {kind: outcome for kind, outcome in found.items() if outcome not in SAFE} == {}


@pytest.mark.peers
def test_ai_sdk() -> None:
    """The AI SDK reports what it cannot do, and creates once; what comes twice is told on the page."""
    start, driver = install(find_ready("ai-sdk"))
    place = Path(driver).parent
    path = write_programs(place, "safe_ai_sdk.mjs", AI_SDK)
    found = outcomes([start, path], place, "--mode", "create", "--kinds", f"{QUICK},lost-head,failed,cancelled")
    assert {kind for kind, outcome in found.items() if outcome not in {*SAFE, "reported"}} == {"twice"}
