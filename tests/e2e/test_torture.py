"""The clients in docs/torture.md, in three languages, run under torture as the page describes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.packages import NEEDS_GENAI

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.usefixtures("lean_clients"),
    pytest.mark.skipif(os.name == "nt", reason="the page is for POSIX"),
]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "torture.md"
EXAMPLES = dict(
    re.findall(
        r"^```(?:python|sh|js)\n(?:#|//) (\S+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
)


def torture(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Return exit code and JSON result of torturing a client from the page's folder of examples."""
    for name, source in EXAMPLES.items():
        (folder / name).write_text(source, "utf-8")
    shutil.copy(PAGE.parent / "clients" / "follow.mjs", folder)
    patient = ("--timeout", "120")  # to import an SDK takes seconds of processor, and other tests run, too
    command = [sys.executable, "-m", "harness", "torture", "--json", *patient, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def needs(program: str) -> str:
    """Return the path of a program; skip the test if it is missing."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} on PATH")
    return found


@NEEDS_GENAI
def test_python(tmp_path: Path) -> None:
    """google-genai with our helper is exact at several cuts in one case; each case would import the SDK anew."""
    words = ("--cuts", "event:6,fin/event:2,rst/event:1,end")
    code, result = torture(tmp_path, *words, "--", sys.executable, "client.py")
    assert (code, result["counts"]["recovered"]) == (0, 1), json.dumps(result["counts"])


def is_right(result: dict[str, Any]) -> bool:
    """Whether the client was right in every case."""
    return sum(map(result["counts"].get, ("exact", "recovered"))) == len(result["cases"])


def test_node_wherever_ids_are(tmp_path: Path) -> None:
    """It is right whichever events have ids, and whatever a cursor includes."""
    words = ("--endings", "fin,short-length", "--event-ids", "all,deltas,sparse,none", "--resume", "inclusive")
    code, result = torture(tmp_path, "--strict", *words, "--loop", "--", needs("node"), "loop.mjs")
    assert (code, is_right(result)) == (0, True), result["counts"]


def test_shell(tmp_path: Path) -> None:
    """curl in a pipe never recovers, and an orderly end makes it stop silently."""
    needs("curl")
    code, result = torture(tmp_path, "--cuts", "event:8,end", "--", "sh", "client.sh")
    assert (code, result["counts"]["silent-loss"]) == (1, 1)
    assert "it did not resume after the drop" in result["cases"][0]["problem"]


SMALL = PAGE.parent / "clients" / "examples"
FEW = ("--set", "quick", "-c", "clean-end,reset,inside,no-ids,inclusive,twice")


def test_go(tmp_path: Path) -> None:
    """The small client in Go is right wherever the stream drops, with and without ids."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    build = [needs("go"), "build", "-o", str(tmp_path / "client"), str(SMALL / "client.go")]
    subprocess.run(build, check=True, env=environment, cwd=tmp_path, timeout=200)
    code, result = torture(tmp_path, *FEW, "--loop", "--", str(tmp_path / "client"))
    assert (code, result["counts"]["exact"] + result["counts"]["recovered"]) == (0, len(result["cases"])), result


def test_java(tmp_path: Path) -> None:
    """The small client in Java is right at a reset, inside an event and at a clean end, one after the other."""
    build = [needs("javac"), "-d", str(tmp_path), str(SMALL / "Client.java")]
    subprocess.run(build, check=True, timeout=200)
    words = ("--cuts", "event:0,rst/event:7+20,rst/event:1,end")
    code, result = torture(tmp_path, *words, "--", needs("java"), "-cp", str(tmp_path), "Client")
    assert (code, result["counts"]["recovered"]) == (0, 1), result
