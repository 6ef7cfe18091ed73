"""Runs the real command against a foreign server, and says what it reported."""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.contract.requests import RequestBuilder
from tests.busy_machine import Stretch
from tests.foreign.server import ForeignService, serving


@dataclass
class Report:
    """What `harness check` reported: verdicts by check, and the codes of findings that broke a rule."""

    exit: int = 0
    verdicts: dict[str, str] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)
    messages: dict[str, list[str]] = field(default_factory=dict)

    @property
    def faults(self) -> dict[str, str]:
        """The checks that are not green, and their verdicts."""
        bad = ("fail", "warn", "error")
        return {check: verdict for check, verdict in self.verdicts.items() if verdict in bad}


def check(service: ForeignService, *globs: str, words: tuple[str, ...] = (), shows: bool = True) -> Report:
    """Judge a foreign server by the checks that match."""
    with serving(service) as url:
        return check_at(url, *globs, words=words, shows=shows, stretch=service.stretch)


def hurry(patch: pytest.MonkeyPatch, stretch: Stretch | None = None) -> None:
    """Give servers less time to show what was created than users do: each run that is denied it waits for it."""
    gone_within = (stretch or Stretch())(1.5)
    patch.setattr("harness.contract.requests.RequestBuilder", partial(RequestBuilder, gone_within=gone_within))


def check_at(
    url: str, *globs: str, words: tuple[str, ...] = (), shows: bool = True, stretch: Stretch | None = None
) -> Report:
    """Judge the server at a URL by the checks that match; `shows`: it also prints its report for people."""
    chosen = [word for glob in globs for word in ("-c", glob)]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        hurry(patch, stretch)
        path = Path(folder, "report.json")
        with nullcontext() if shows else redirect_stdout(io.StringIO()):
            silent = () if shows else ("--quiet",)
            code = main(["check", url, *chosen, *words, *silent, "--no-config", "--report", f"json={path}"])
        document = json.loads(path.read_text())
    report = Report(code)
    for entry in document["checks"]:
        if entry["outcome"] != "excluded":
            report.verdicts[entry["id"]] = word_of(entry)
            report.codes[entry["id"]] = [found["code"] for found in entry["findings"]]
            report.messages[entry["id"]] = [found["message"] for found in entry["findings"]]
    return report


def word_of(entry: dict[str, Any]) -> str:
    """Return what a report says of a check, in a word that the rows of these tests use."""
    outcome, reason = entry["outcome"], entry.get("reason", "")
    if outcome == "not_tested":
        return {"blocked": "blocked", "harness_error": "error"}.get(reason, "untestable")
    words = {"failed": "fail", "warned": "warn", "not_offered": "not_applicable", "excluded": "excluded"}
    return words.get(outcome) or ("info" if entry["findings"] else "pass")
