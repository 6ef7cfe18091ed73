"""What a run of the checks costs a server of one's own: requests, seconds, and the longest chain of exercises.

`python -m benchmarks.requests [--latency 0.005] [--lasts 0] [--json]`. The server is the emulator behind a wall: it
has no control API, answers each request after the latency, and its background runs last as long as `--lasts` says.
The command has as many workers as by default. Requests are counted where they arrive, by what they are for; those of
the longest exercise follow each other, and no number of workers makes a run shorter than that.
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
from harness.wire import Headers, Pause, Piece, Request, Response
from harness.wire.message import WrappedBody

ROOT = Path(__file__).resolve().parents[1]
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


def measure(latency: float, lasts: float, words: list[str]) -> dict[str, Any]:
    """Return the figures of one run."""
    walled = Walled(latency, lasts)
    with ServerThread(walled, clock=walled.clock) as server, tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "harness", "check", server.url, "--report", f"json={report}", *words]
        began = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **KEYS}, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - began
        if done.returncode not in (0, 4):
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")
        exercises = json.loads(report.read_text(encoding="utf-8"))["timings"]
    return {"seconds": seconds, "requests": walled.counts.total(), "of": dict(walled.counts.most_common()),
            "exercises": exercises, "verdict": done.stdout.splitlines()[-1]}  # fmt: skip


if __name__ == "__main__":
    import pprint

    got = measure(float(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
    ex = got.pop("exercises")
    pprint.pprint(got)
    print(type(ex), str(ex)[:600])
    import pickle

    json.dump(ex, open("/tmp/h3/timings.json", "w"))
