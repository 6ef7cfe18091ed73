"""What the pytest plugin costs: collecting an empty project beside pytest-recording, a fixture, dropped streams.

Run it as `python -m benchmarks.plugin`. Best of many; pytest-recording is measured where it is installed.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from harness.plugin import DroppedStream, InteractionsEmulator, cases_of, client, no_sleep
from harness.plugin.drops import Loop
from harness.resume import follow

ROUNDS = 25
CASES = 1000


def collecting(*plugins: str) -> float:
    """Seconds of `pytest --collect-only` in an empty folder with these plugins and no others."""
    options = [word for name in plugins for word in ("-p", name)]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options]
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
        return time.perf_counter() - begin


def importing(module: str) -> float:
    """Seconds that a process which has pytest already takes to import a plugin."""
    code = (
        "import sys, time, pytest, socket\n"
        "begin = time.perf_counter()\n"
        f"__import__({module!r})\n"
        "print(time.perf_counter() - begin)"
    )
    folder, environment = str(Path(__file__).parents[1]), dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed plugin is compiled
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def interleaved(*variants: tuple[str, ...]) -> list[float]:
    """The best of each variant, measured in turns: the least disturbed by whatever else the machine does."""
    seconds: list[list[float]] = [[] for _ in variants]
    for _ in range(ROUNDS):
        for one, variant in zip(seconds, variants, strict=True):
            one.append(collecting(*variant))
    return [min(one) for one in seconds]


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def dropped_streams() -> float:
    """Seconds of a thousand cases in-process with the helper over httpx."""
    cases = cases_of(cuts="every-byte", endings=("rst",))[:CASES]
    emulator = InteractionsEmulator()
    with no_sleep(), httpx.Client(transport=emulator.transport, base_url="http://x.test", headers=_KEY) as plain:

        def work() -> None:
            for stream in DroppedStream(emulator, Loop(tuple(cases))):
                stream.assert_seen_once(list(follow(plain, stream.id)))

        return timed(work) * CASES / len(cases)


def genai_stream() -> float:
    """Seconds that google-genai takes for one undisturbed stream in-process."""
    emulator = InteractionsEmulator()
    found = emulator.create()["id"]
    with client(emulator) as genai:
        return statistics.median(
            timed(lambda: list(genai.interactions.get(found, stream=True))) for _ in range(30)
        )


_KEY = {"x-goog-api-key": "key"}


def main() -> None:
    """Print the table."""
    variants: list[tuple[str, ...]] = [(), ("harness.pytest_plugin",)]
    if importlib.util.find_spec("pytest_recording"):
        variants.append(("pytest_recording.plugin",))
    bare, *loaded = interleaved(*variants)
    print(f"collect-only, bare pytest          {bare * 1000:7.1f} ms")
    for variant, seconds in zip(variants[1:], loaded, strict=True):
        alone = min(importing(variant[0]) for _ in range(ROUNDS))
        print(f"  + {variant[0]:<30} {(seconds - bare) * 1000:+7.1f} ms, its import {alone * 1000:.2f} ms")
    InteractionsEmulator()
    fixture = statistics.median(timed(InteractionsEmulator) for _ in range(100))
    print(f"a fixture's emulator               {fixture * 1000:7.2f} ms")
    print(f"{CASES} dropped streams, httpx       {dropped_streams():7.2f} s")
    if importlib.util.find_spec("google.genai"):
        print(f"google-genai, one whole stream     {genai_stream() * 1000:7.1f} ms")


if __name__ == "__main__":
    main()
