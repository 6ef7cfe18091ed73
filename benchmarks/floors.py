"""What our hot paths cost, and what they cost at least: the same work by the least program that can do it.

`python -m benchmarks.floors [--rounds 40] [--write]`. Both are measured in turns in the same minutes. The least
programs do what no program can leave out: system calls, the event loop, the client of a test, the start of the
interpreter. `--write` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks import emulator as serving
from benchmarks import tap
from benchmarks._against import PROGRAMS, Checkout

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- floors -->\n", "<!-- /floors -->"
HEAD = "| Work | Now | At least | By |\n|---|---|---|---|"
ONE_CHECK = "get.ok"


class Row(NamedTuple):
    """A cost, and the least one; `by` says which program has that."""

    work: str
    now: float
    least: float
    by: str

    def __str__(self) -> str:
        return f"| {self.work} | {self.now:.2f} | {self.least:.2f} | {self.by} |"


def measure_creates(rounds: int) -> Iterator[Row]:
    """A create over a socket, beside a program that only checks and keeps it, and one that sends constants."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(serving.started("harness", *serving.harness(folder)))
        body = serving.ask_once(ours, serving.list_asks(ours)[0]).body
        bare = stack.enter_context(serving.started(serving.BARE, *serving.constant(body, "bare")))
        floor = stack.enter_context(serving.started(serving.FLOOR, *serving.constant(body)))
        rows = serving.measure([ours, bare, floor], max(rounds // 8, 2), 0.5, [serving.CREATES])
    cost = {row["server"]: row["cpu_us"] or 0.0 for row in rows}
    work = "A create over a socket, µs of processor time"
    for name, by in (
        (serving.BARE, "the same reader, schema, id and signature; it is counted, kept and encoded"),
        (serving.FLOOR, "a protocol that always sends the same bytes"),
    ):
        yield Row(work, cost["harness"], cost[name], by)


def measure_proxy(rounds: int) -> Iterator[Row]:
    """What a recording proxy adds to the first byte, beside a program that copies bytes and keeps none."""
    options = argparse.Namespace(rounds=rounds, python=sys.executable, mitmdump=None)
    added = tap.measure(options)
    for which, what in tap.MEASURED.items():
        ours, copied = (max(added[name][f"{which}added_ms"], 0.0) for name in ("harness tap", "copy"))
        yield Row(f"Added to the first byte on {what}, ms", ours, copied, "a program that copies bytes")


def measure_dropped(rounds: int) -> Iterator[Row]:
    """Dropped streams that httpx follows and the oracle judges, beside the requests of httpx alone."""
    turns = []
    for _ in range(max(rounds // 8, 2)):
        command = [sys.executable, "-P", str(PROGRAMS), "dropped"]
        environment = {**os.environ, "PYTHONPATH": str(serving.ROOT)}
        done = subprocess.run(command, cwd="/", env=environment, capture_output=True, check=True)
        turns.append(list(json.loads(done.stdout).values()))
    ours, alone = map(statistics.median, zip(*turns, strict=True))
    yield Row(
        "A dropped stream that httpx follows, ms of processor time", ours, alone, "httpx, which gets constants"
    )


def measure_catalogue(rounds: int) -> Iterator[Row]:
    """The whole catalog in process, beside one check of it: the start of the command and its imports."""
    environment = Checkout("now", serving.ROOT, sys.executable).environment

    def spend(*words: str) -> float:
        command = [sys.executable, "-m", "harness", "check", "emulator", *words]
        with subprocess.Popen(command, cwd="/", env=environment, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}")
        return usage.ru_utime + usage.ru_stime

    pairs = [(spend(), spend("-c", ONE_CHECK)) for _ in range(max(rounds // 8, 2))]
    ours, one = map(statistics.median, zip(*pairs, strict=True))
    yield Row(
        "The catalog in process, s of processor time", ours, one, "one check of it: the start and the imports"
    )


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40, help="turns of the fastest rows (40)")
    parser.add_argument("--write", action="store_true", help="write the table into docs")
    options = parser.parse_args()
    lines = [HEAD]
    print(HEAD, flush=True)
    for measure in (measure_creates, measure_proxy, measure_dropped, measure_catalogue):
        for row in measure(options.rounds):
            lines.append(str(row))
            print(row, flush=True)
    if options.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
