"""How long the whole catalogue takes: against an emulator in process, and over loopback.

`python -m benchmarks.catalogue [--rounds 5] [--json]`. Each run is a command in its own process, as a user starts
it, so importing and compiling the schemas count. Rounds are interleaved. Figures are medians of elapsed seconds
and of processor seconds; the latter cover all processes of a run and change less on a busy machine. The intended
time is printed next to each figure, and missing it is no failure.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HARNESS = [sys.executable, "-m", "harness"]
KEYS = {"GEMINI_API_KEY": "first", "OTHER_GEMINI_API_KEY": "second"}


class Run(NamedTuple):
    """A command, and the time it is meant to take."""

    name: str
    words: tuple[str, ...]
    meant: str


class Took(NamedTuple):
    """Elapsed seconds, and processor seconds (None where the system does not report them)."""

    wall: float
    cpu: float | None


@contextmanager
def serving() -> Iterator[str]:
    """The URL of an emulator in its own process, with two keys of two projects."""
    keys = [word for number, key in enumerate(KEYS.values()) for word in ("--key", f"{key}=project-{number}")]
    command = [*HARNESS, "serve", "--port", "0", "--json", *keys]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                sys.exit("harness serve did not come up")
            yield str(json.loads(line)["base_url"])
        finally:
            process.terminate()


def timed(run: Run) -> Took:
    """Measure one run; exit the program if it fails."""
    spent, began = _cpu_of_children(), time.perf_counter()
    command = [*HARNESS, *run.words]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **KEYS}, capture_output=True, text=True, check=False
    )
    wall, now = time.perf_counter() - began, _cpu_of_children()
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")
    return Took(wall, None if spent is None or now is None else now - spent)


def _cpu_of_children() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(rounds: int) -> list[dict[str, Any]]:
    """Return one row for each run."""
    with serving() as url:
        runs = [
            Run("in process", ("check", "emulator"), "about 0.5 s"),
            Run("over loopback", ("check", url), "less than 6 s"),
        ]
        times: dict[Run, list[Took]] = {}
        for _ in range(rounds):
            for run in runs:
                times.setdefault(run, []).append(timed(run))
    return [_row(run, took) for run, took in times.items()]


def _row(run: Run, took: list[Took]) -> dict[str, Any]:
    spent = [each.cpu for each in took if each.cpu is not None]
    return {
        "name": run.name, "seconds": statistics.median(each.wall for each in took), "meant": run.meant,
        "best": min(each.wall for each in took), "cpu_seconds": statistics.median(spent) if spent else None,
        "rounds": len(took),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often the catalogue is played (5)")
    parser.add_argument("--json", action="store_true", help="print numbers for machines")
    options = parser.parse_args()
    rows = measure(options.rounds)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        cpu = "" if row["cpu_seconds"] is None else f", {row['cpu_seconds']:.2f} s of processor time"
        print(f"{row['name']:<14}{row['seconds']:>7.2f} s (best {row['best']:.2f}){cpu}; meant: {row['meant']}")


if __name__ == "__main__":
    main()
