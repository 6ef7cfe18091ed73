"""The lines of docs/safe-clients.md that make weak clients safe do so: each is played the table of clients."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.benches.client.ready import READY, Language, find_ready, install
from harness.resources import folder

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name == "nt", reason="one of them is a shell script")]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "safe-clients.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```(?:python|js|sh)\n(?:#|//) (safe_\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PROGRAMS = Path(__file__).parent / "safe"
RIGHT = {"exact", "recovered", "could-not"}
HONEST = {*RIGHT, "reported"}
QUICK = (
    "no-fault,reset,clean-end,half-event,no-completion,broken-json,twice,error-no-cursor,bare-error,reset-no-ids"
)
SLOW = "noise,inclusive,always-reset,resume-503,lost-head,503,failed,cancelled,incomplete"
MOST = f"{QUICK},lost-head,503,failed,cancelled,incomplete"
NO_LOSS = MOST.replace("lost-head,", "")
"""For a client that repeats a create whose response is lost, whatever is written around it."""
POLLS = (
    "no-fault,queued,lost-create,create-503,404-at-first,lost-poll,half-poll,poll-503,poll-429,failed,cancelled"
)


@dataclass(frozen=True, kw_only=True)
class Safe:
    """Lines of the page around a client: what they are played, and how they may come out."""

    client: str
    lines: str
    mode: str
    kinds: str = MOST
    details: frozenset[str] = frozenset(RIGHT)

    def __str__(self) -> str:
        return f"{self.client} {self.mode}"


SAFE = (
    Safe(client="google-genai", lines="safe_genai.py", mode="background", kinds=QUICK),
    Safe(client="google-genai", lines="safe_genai.py", mode="background", kinds=SLOW),
    Safe(client="google-genai-vertex", lines="safe_genai.py", mode="background", kinds=QUICK),
    Safe(client="documented-loop", lines="safe_loop.py", mode="follow", kinds=QUICK),
    Safe(client="documented-loop", lines="safe_loop.py", mode="follow", kinds=SLOW),
    Safe(client="google-genai-async", lines="safe_genai_async.py", mode="background"),
    Safe(client="@google/genai", lines="safe_genai.mjs", mode="background"),
    Safe(client="@google/genai-vertex", lines="safe_genai.mjs", mode="background"),
    Safe(client="litellm", lines="safe_litellm.py", mode="poll", kinds=POLLS, details=frozenset(HONEST)),
    Safe(client="google-adk", lines="safe_adk.py", mode="create"),
    Safe(client="@google/adk", lines="safe_adk.mjs", mode="create", kinds=NO_LOSS),
    Safe(client="agno", lines="safe_agno.py", mode="create"),
    Safe(client="genkit", lines="safe_genkit.mjs", mode="poll", kinds=POLLS, details=frozenset(HONEST)),
    Safe(client="any-llm", lines="safe_any_llm.py", mode="create"),
    Safe(client="ai-sdk", lines="safe_ai_sdk.mjs", mode="create", details=frozenset(HONEST)),
    Safe(client="tanstack-ai", lines="safe_tanstack.mjs", mode="create", details=frozenset(HONEST)),
    Safe(client="curl", lines="safe_curl.sh", mode="poll", kinds=POLLS, details=frozenset(HONEST)),
)
IN_THIS_PYTHON = {"safe_genai.py", "safe_loop.py"}
"""These need google-genai alone, which the other tests have, too."""


def played(safe: Safe, command: Sequence[str], cwd: Path) -> dict[str, str]:
    """Return the detail word of each fault."""
    name = "polling-table" if safe.mode == "poll" else "table"
    words = ["--set", name, "--mode", safe.mode, "-c", safe.kinds, "--timeout", "90"]
    loop = ["--loop"] if find_ready(safe.client).loops else []
    one = ("--jobs", "1")  # each further one starts the client once more, which imports an SDK
    torture = [sys.executable, "-m", "harness", "torture", "--json", *words, *one, *loop, "--"]
    done = subprocess.run([*torture, *command], cwd=cwd, capture_output=True, text=True, timeout=580, check=False)
    assert done.stdout, done.stderr
    cases: list[dict[str, Any]] = json.loads(done.stdout)["cases"]
    return {case["kind"]: case["detail"] for case in cases}


def write_programs(place: Path, safe: Safe) -> Path:
    """Write the page's lines, the program around them and the drivers' helpers; return the program's path."""
    place.mkdir(exist_ok=True)
    for name, source in BLOCKS.items():
        (place / name).write_text(source, "utf-8")
    for helper in ("tasks.py", "tasks.mjs"):
        shutil.copy(folder("docs/clients") / "drivers" / helper, place)
    return Path(shutil.copy(PROGRAMS / f"reads_with_{safe.lines}", place))


def marks_of(safe: Safe) -> list[pytest.MarkDecorator]:
    """The marks of a case; on Vertex the lines are the same, and so is the client."""
    if safe.lines not in IN_THIS_PYTHON or safe.kinds != QUICK:
        return [pytest.mark.peers]
    return [pytest.mark.thorough] if safe.client == "google-genai-vertex" else []


@pytest.mark.slow
@pytest.mark.parametrize(
    "safe",
    [pytest.param(one, marks=marks_of(one)) for one in SAFE],
    ids=[f"{one}-{'slow' if one.kinds == SLOW else 'all'}" for one in SAFE],
)
def test_the_lines_make_it_safe(tmp_path: Path, safe: Safe) -> None:
    """Whatever goes wrong, the client returns the whole result, or it reports that it cannot."""
    if safe.lines in IN_THIS_PYTHON:
        pytest.importorskip("google.genai", reason="pip install -e '.[sdk]'")
        place, start = tmp_path, [sys.executable]
    else:
        words = install(find_ready(safe.client))
        (at,) = (at for at, word in enumerate(words) if "drivers" in Path(word).parts)
        start, place = (
            words[:at],
            Path(words[at]).parent.parent / "safe",
        )  # Node looks for packages above a program
    program = str(write_programs(place, safe))
    found = played(safe, [*start, program, *find_ready(safe.client).arguments], place)
    assert set(found) == set(safe.kinds.split(","))
    assert {kind: detail for kind, detail in found.items() if detail not in safe.details} == {}


def test_each_client_of_the_table_has_its_lines() -> None:
    """Each but our own two, which need none, has lines on the page, and each block of the page is played.

    Lines for the Gemini API are not repeated for the AI SDK and LiteLLM on Vertex: the requests are the same.
    """
    without = {"harness.resume", "follow.mjs", "ai-sdk-vertex", "litellm-vertex"}
    assert {safe.client for safe in SAFE} == {client.name for client in READY} - without
    assert {safe.lines for safe in SAFE} == {name for name in BLOCKS if "settle" not in name}
    for safe in SAFE:
        suffix = {Language.PYTHON: ".py", Language.NODE: ".mjs", Language.SHELL: ".sh"}
        assert safe.lines.endswith(suffix[find_ready(safe.client).language])
