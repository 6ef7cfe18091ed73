"""The drivers of clients speak every mode that they name: turns, function calls and cancels included."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from harness.benches.client.ready import Language, find_ready

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.usefixtures("lean_clients")]

OURS = ("harness.resume", "follow.mjs")
RIGHT = {"exact", "recovered", "could-not"}
TABLES = {"chain": "turns-table", "tools": "turns-table", "cancel": "cancelling-table"}
"""The set of one case of each fault, by mode."""


def torture(*words: str) -> dict[str, str]:
    """Return the detail word of each kind of cases."""
    one = ("--jobs", "1")  # each further one starts the client once more, which imports an SDK
    command = [sys.executable, "-m", "harness", "torture", "--json", *one, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout, done.stderr
    return {case["kind"]: case["detail"] for case in json.loads(done.stdout)["cases"]}


SHOWN = {("follow.mjs", "chain"), ("harness.resume", "cancel"), ("follow.mjs", "tools")}
"""Each mode and each client once; the others are for thorough runs."""


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        pytest.param(name, mode, marks=() if (name, mode) in SHOWN else pytest.mark.thorough)
        for name in OURS
        for mode in TABLES
    ],
)
def test_ours_are_right_in_every_further_mode(name: str, mode: str) -> None:
    """Our own two lose, double and invent nothing in a second turn, and report what became of a cancel."""
    if find_ready(name).language is Language.NODE and shutil.which("node") is None:
        pytest.skip("no node on PATH")
    if find_ready(name).language is Language.PYTHON:
        pytest.importorskip("google.genai", reason="pip install -e '.[sdk]'")
    found = torture("--client", name, "--mode", mode, "--set", TABLES[mode])
    assert len(found) > 8
    assert {kind: detail for kind, detail in found.items() if detail not in RIGHT} == {}
