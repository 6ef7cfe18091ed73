"""Runs `harness check` and `harness gateway` against a third-party server, and sums up what they found."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from lab.peers.installing import KEY, free_port

NOTICED = frozenset({"failed", "warned"})


@dataclass(frozen=True)
class Judged:
    """The report of one run; `rows` are its checks or its rules."""

    report: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each outcome."""
        totals: dict[str, int] = self.report["accounting"]["totals"]
        return totals

    def noticed(self, *more: str) -> list[str]:
        """The ids of checks that failed or warned, or have one of these outcomes; "noted": passed with a note."""
        return [row["id"] for row in self.rows if _word_of(row) in NOTICED.union(more)]

    def row(self, name: str) -> dict[str, Any]:
        """The row of one check or rule."""
        return next(row for row in self.rows if row["id"] == name)


def _word_of(row: dict[str, Any]) -> str:
    """The outcome of a row; a note on something that is allowed has a word of its own."""
    noted = row["outcome"] == "passed" and row["findings"]
    return "noted" if noted else str(row["outcome"])


def judge(url: str, *options: str, key: str = KEY) -> Judged:
    """Run the catalogue on a server."""
    report = _run("check", url, "--api-key", key, "--deadline", "600", *options)
    return Judged(report, report["checks"])


def judge_gateway(url: str, upstream_port: int, key: str = KEY) -> Judged:
    """Run `harness gateway` against a gateway whose upstream is on that port, with time for a busy machine."""
    report = _run("gateway", url, "--api-key", key, "--upstream-port", str(upstream_port), "--patience", "20")
    return Judged(report, report["rules"])


def new_upstream() -> tuple[int, str]:
    """A port for an upstream, and its URL."""
    port = free_port()
    return port, f"http://127.0.0.1:{port}"


def _run(*words: str) -> dict[str, Any]:
    """The JSON that a command prints. Raises AssertionError unless the run came to its end."""
    command = [sys.executable, "-m", "harness", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode in (0, 1), f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    report: dict[str, Any] = json.loads(done.stdout)
    return report
