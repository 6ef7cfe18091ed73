"""What the pytest plugin costs: collecting an empty project next to pytest-recording, and dropped streams.

Run it as `python -m benchmarks.plugin`; pytest-recording is measured if it is installed. POSIX only.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx

from harness.plugin import DroppedStream, InteractionsEmulator, cases_of, client, no_sleep
from harness.plugin.interactions.dropped_stream import Loop
from harness.resume import follow

ROUNDS = 100
CASES = 1000


_COLLECT = """
import os, sys, time
import pytest

def collecting(plugins):
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        begin = time.process_time()
        loaded = (word for name in plugins for word in ("-p", name))
        pytest.main(["--collect-only", "-p", "no:cacheprovider", *loaded])
        os.write(there, str(time.process_time() - begin).encode())
        os._exit(0)
    os.close(there)
    with os.fdopen(here) as said:
        seconds = float(said.read())
    os.waitpid(child, 0)
    return seconds

rounds, *names = sys.argv[1:]
open("empty_plugin.py", "w").close()
sys.path.insert(0, os.getcwd())
variants = [["empty_plugin"], *([name] for name in names)]
seconds = [[] for _ in variants]
for _ in range(int(rounds)):
    for one, variant in zip(seconds, variants):
        one.append(collecting(variant))
print(*(min(one) for one in seconds))
"""


def collecting(*plugins: str) -> list[float]:
    """Processor seconds of `pytest --collect-only` in an empty folder: with an empty plugin, and with each.

    For any plugin that `-p` names pytest reads the metadata of all packages, which is no cost of the plugin. The
    best of many rounds, taken in turns in forks of one process that has imported only pytest.
    """
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    environment = {**_environment(), **alone}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _COLLECT, str(ROUNDS), *plugins]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def importing(module: str) -> float:
    """Seconds that importing a plugin takes in a process that has already imported pytest."""
    code = (
        "import sys, time, pytest, socket\n"
        "begin = time.perf_counter()\n"
        f"__import__({module!r})\n"
        "print(time.perf_counter() - begin)"
    )
    folder = Path(__file__).parents[1]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=True)
    return float(done.stdout)


def _environment() -> dict[str, str]:
    """Let Python write bytecode, since an installed plugin is compiled, too."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def dropped_streams(client_of: Callable[[InteractionsEmulator], AbstractContextManager[Any]], count: int) -> float:
    """Seconds for `count` cases in process with the helper, each judged by the oracle."""
    cases = cases_of(cuts="every-byte", endings=("rst",))[:count]
    emulator = InteractionsEmulator()
    with client_of(emulator) as made:

        def work() -> None:
            with no_sleep():  # also moves what the clocks of this process say: they are read outside
                for stream in DroppedStream(emulator, Loop(tuple(cases))):
                    stream.assert_seen_once(list(follow(made, stream.id)))

        return timed(work) * count / len(cases)


def plain(emulator: InteractionsEmulator) -> httpx.Client:
    """Return an httpx client of the emulator."""
    return httpx.Client(transport=emulator.transport, base_url="http://x.test", headers=_KEY)


_KEY = {"x-goog-api-key": "key"}


def main() -> None:
    """Print the table."""
    plugins = ["harness.pytest_plugin"]
    if importlib.util.find_spec("pytest_recording"):
        plugins.append("pytest_recording.plugin")
    bare, *loaded = collecting(*plugins)
    print(f"collect-only, an empty plugin      {bare * 1000:7.1f} ms")
    for plugin, seconds in zip(plugins, loaded, strict=True):
        alone = min(importing(plugin) for _ in range(ROUNDS // 4))
        print(f"  + {plugin:<30} {(seconds - bare) * 1000:+7.1f} ms, its import {alone * 1000:.2f} ms")
    print(f"{CASES} dropped streams, httpx       {dropped_streams(plain, CASES):7.2f} s")
    if importlib.util.find_spec("google.genai"):
        print(f"{CASES} dropped streams, genai       {dropped_streams(client, CASES // 10) * 10:7.2f} s")


if __name__ == "__main__":
    main()
