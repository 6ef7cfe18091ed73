"""Runs `harness check` and `harness gateway` against a third-party server and looks up results by name."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.e2e.peers.installing import KEY

NOTICED = frozenset({"fail", "warn"})
LITELLM_OPTIONS = ("--api-key", KEY, "--capability", "+v1")
"""A gateway for the official SDK has to serve /v1, which the SDK calls by default."""
AIMOCK_OPTIONS = ("--api-key", "any", "--capability", "+store,+stream,+background")
"""A mock of this API needs these; the default profile would skip a capability that is missing altogether."""


@dataclass(frozen=True)
class Judged:
    """The report of one run of `harness check`."""

    report: dict[str, Any]

    def verdict(self, check: str) -> str:
        """The verdict of one check."""
        return str(next(entry["verdict"] for entry in self.report["checks"] if entry["id"] == check))

    def noticed(self) -> set[str]:
        """The ids of checks that failed or warned."""
        return {entry["id"] for entry in self.report["checks"] if entry["verdict"] in NOTICED}


def judge(url: str, *options: str) -> Judged:
    """Run the catalogue and require exit code 1: something failed, but not the harness itself."""
    command = [sys.executable, "-m", "harness", "check", url, "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return Judged(json.loads(done.stdout))


@dataclass(frozen=True)
class BothSides:
    """The report of one run of `harness gateway`."""

    report: dict[str, Any]

    def verdict(self, rule: str) -> str:
        """The verdict of one rule."""
        return str(self._rule(rule)["verdict"])

    def findings(self, rule: str) -> str:
        """Return the findings of one rule, one to a line."""
        found = self._rule(rule)["findings"]
        return "\n".join(f"{one['message']}: {one['expected']} | {one['actual']}" for one in found)

    def _rule(self, rule: str) -> dict[str, Any]:
        return next(entry for entry in self.report["rules"] if entry["id"] == rule)


def judge_gateway(url: str, upstream_port: int) -> BothSides:
    """Run `harness gateway` against a LiteLLM proxy whose upstream is on that port; require exit code 1."""
    command = [sys.executable, "-m", "harness", "gateway", url, "--json", "--api-key", KEY]
    command += ["--upstream-port", str(upstream_port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return BothSides(json.loads(done.stdout))
