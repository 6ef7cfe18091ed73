"""What starting costs: the first create of a process, and a ready client for each test, next to google-genai.

Run it as `python -m benchmarks.startup [--rounds 9]`. Each round is a process of its own, ours and the peer's in
turns. Figures are medians and ratios of medians; google-genai is left out if it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

_PROLOGUE = """
import time
last = time.perf_counter()
def lap():
    global last
    now = time.perf_counter()
    seconds, last = now - last, now
    return seconds
"""

_FIRST_CREATE = """
from harness.emulator import Emulator
from harness.transport import ServiceDriver
from harness.wire import Headers, Request
imports, emulator = lap(), Emulator()
driver = ServiceDriver(emulator, emulator.clock)
def create():
    headers = Headers([("x-goog-api-key", "k"), ("content-type", "application/json")])
    body = b'{"model": "gemini-3.8-flash", "input": "Hi"}'
    assert driver.send(Request("POST", "/v1beta/interactions", headers, body)).status == 200
    return lap()
first = create()
print(imports, first, sorted(create() for _ in range(50))[25])
"""

_PEER_IMPORT = """
from google import genai
print(lap())
"""

_FIXTURE = """
from harness.plugin import InteractionsEmulator, client
def ready():
    lap()
    with client(InteractionsEmulator()):
        pass
    return lap()
ready()
print(sorted(ready() for _ in range(50))[25])
"""

_PEER_CLIENT = """
from google import genai
def ready():
    lap()
    genai.Client(api_key="k").close()
    return lap()
ready()
print(sorted(ready() for _ in range(20))[10])
"""


def figures_of(code: str) -> list[float]:
    """The seconds that a program prints, run in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", _PROLOGUE + code], cwd=Path(__file__).parents[1], env=kept,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [float(word) for word in done.stdout.split()]


def medians(rounds: int, *programs: str) -> list[list[float]]:
    """The median of each figure of each program; the programs take turns, after a round that is not counted."""
    turns = [[figures_of(code) for code in programs] for _ in range(rounds + 1)][1:]
    return [[median(figures) for figures in zip(*results, strict=True)] for results in zip(*turns, strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="processes of each kind (9)")
    rounds = parser.parse_args().rounds
    peer = importlib.util.find_spec("google") is not None and importlib.util.find_spec("google.genai") is not None
    ours = [_FIRST_CREATE, _FIXTURE]
    (imports, first, later), (fixture,), *theirs = medians(
        rounds, *ours, *([_PEER_IMPORT, _PEER_CLIENT] if peer else [])
    )
    print(f"first create of a process          {first * 1000:8.1f} ms ({first / later:.0f} times a later one)")
    whole = imports + first
    print(f"  with the imports before it       {whole * 1000:8.1f} ms{_ratio(whole, theirs, 0)}")
    print(f"a client with an emulator, per test{fixture * 1000:8.2f} ms{_ratio(fixture, theirs, 1)}")
    if not peer:
        print("google-genai is not installed: no ratios")


def _ratio(seconds: float, theirs: list[list[float]], index: int) -> str:
    if not theirs:
        return ""
    what = ("importing google-genai", "a bare genai.Client")[index]
    return f" ({seconds / theirs[index][0]:.3f} of {what}, {theirs[index][0] * 1000:.1f} ms)"


if __name__ == "__main__":
    main()
