"""What a run of the checks costs an own server: requests, seconds, and the longest exercise.

`python -m benchmarks.own_server [--latency 0.005] [--lasts 0] [--json]`. The server is the emulator without its
control API: it answers each request after the latency, and its background runs last for so many seconds. Requests
are counted where they arrive, those of the probe and the deletions, too. The requests of one exercise follow each
other: no number of workers makes a run shorter than the longest one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.emulator import Emulator, Settings
from harness.transport import ServerThread, WallClock
from harness.transport.client.courier import Courier
from harness.wire import Headers, Pause, Piece, Request, Response
from harness.wire.message import WrappedBody

KEYS = {"GEMINI_API_KEY": "first", "OTHER_GEMINI_API_KEY": "second"}
_HIDDEN = Response.whole(404, Headers([("content-type", "text/plain")]), b"404 page not found\n")


class Walled:
    """The emulator as a server of somebody else."""

    def __init__(self, latency: float, lasts: float) -> None:
        self.clock = WallClock()
        keys = {key: name for name, key in KEYS.items()}
        settings = Settings(platform="any", keys=keys, ticks=0, lasts=lasts or None)
        self.emulator = Emulator(settings, clock=self.clock)
        self.latency = latency
        self.counts: Counter[str] = Counter()

    def __call__(self, request: Request) -> Response:
        """Count a request, and answer it late."""
        if "/__harness__/" in request.target:
            return _HIDDEN
        of_runs = "interactions" in request.segments
        self.counts[f"{request.method} {'of interactions' if of_runs else 'of other resources'}"] += 1
        response = self.emulator(request)
        return Response(response.status, response.headers, response.framing, _Late(response.body, self.latency))


class _Late(WrappedBody):
    """A body that begins after a pause."""

    def __init__(self, inner: Any, latency: float) -> None:
        super().__init__(inner)
        self._pieces = self._delay(inner, latency)

    def _delay(self, inner: Any, latency: float) -> Iterator[Piece]:
        yield Pause(latency)
        yield from inner

    def __next__(self) -> Piece:
        return next(self._pieces)


def measure(latency: float, lasts: float) -> dict[str, Any]:
    """Run the checks once; exit the program if they find anything."""
    walled = Walled(latency, lasts)
    with (
        ServerThread(walled, clock=walled.clock) as server,
        Courier(walled.emulator.outbox, is_allowed=True),
        tempfile.TemporaryDirectory() as folder,
    ):
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "harness", "check", server.url, "--report", f"json={report}"]
        began = time.perf_counter()
        done = subprocess.run(command, env={**os.environ, **KEYS}, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")
        slowest = max(json.loads(report.read_text())["timings"], key=lambda exercise: exercise["seconds"])
    return {
        "seconds": seconds,
        "requests": dict(walled.counts.most_common()),
        "longest": slowest["exercise"],
        "longest_seconds": slowest["seconds"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--latency", type=float, default=0.005, help="seconds before each response (0.005)")
    parser.add_argument("--lasts", type=float, default=0.0, help="seconds of a background run (0)")
    parser.add_argument("--json", action="store_true", help="print numbers for machines")
    options = parser.parse_args()
    row = measure(options.latency, options.lasts)
    if options.json:
        print(json.dumps(row, indent=1))
        return
    for name, count in row["requests"].items():
        print(f"{count:>6}  {name}")
    print(f"{sum(row['requests'].values()):>6}  in all (wanted: 500)")
    print(f"{row['seconds']:>6.1f}  seconds (wanted: 3), {row['longest_seconds']:.1f} of {row['longest']}")


if __name__ == "__main__":
    main()
