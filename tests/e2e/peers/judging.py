"""Runs `harness check` and `harness gateway` against a third-party server and reads what they found by name."""

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


@dataclass(frozen=True)
class BothSides:
    """One run of `harness gateway`, and its rules by id."""

    report: dict[str, Any]

    def verdict(self, rule: str) -> str:
        """The verdict of one rule."""
        return str(self._rule(rule)["verdict"])

    def findings(self, rule: str) -> str:
        """What was found, a line each."""
        found = self._rule(rule)["findings"]
        return "\n".join(f"{one['message']}: {one['expected']} | {one['actual']}" for one in found)

    def _rule(self, rule: str) -> dict[str, Any]:
        return next(entry for entry in self.report["rules"] if entry["id"] == rule)


def judge_gateway(url: str, upstream_port: int) -> BothSides:
    """One run from both sides of a LiteLLM proxy whose upstream is on that port."""
    command = [sys.executable, "-m", "harness", "gateway", url, "--json", "--api-key", KEY]
    command += ["--upstream-port", str(upstream_port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return BothSides(json.loads(done.stdout))
