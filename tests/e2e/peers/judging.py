"""Runs `harness check --json` against a third-party server and reads what it found by name."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.e2e.peers.installing import KEY

NOTICED = frozenset({"fail", "warn"})
LITELLM_OPTIONS = ("--api-key", KEY, "--capability", "+v1")
"""The official SDK calls /v1 by default, so a gateway for it has to serve it."""
AIMOCK_OPTIONS = ("--api-key", "any", "--capability", "+store,+stream,+background")
"""What a mock of this API has to do; the default profile would leave out what it does not even begin."""


@dataclass(frozen=True)
class Judged:
    """One run's report, and its checks by id."""

    report: dict[str, Any]

    def verdict(self, check: str) -> str:
        """The verdict of one check."""
        return str(next(entry["verdict"] for entry in self.report["checks"] if entry["id"] == check))

    def noticed(self) -> set[str]:
        """The ids of checks that failed or warned."""
        return {entry["id"] for entry in self.report["checks"] if entry["verdict"] in NOTICED}


def judge(url: str, *options: str) -> Judged:
    """One run of the catalogue; the exit code must say that something is wrong, not that we erred."""
    command = [sys.executable, "-m", "harness", "check", url, "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return Judged(json.loads(done.stdout))
