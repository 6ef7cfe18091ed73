"""Runs the real command against a foreign server, and says what it reported."""

from __future__ import annotations

import io
import tempfile
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from harness.cli import main
from harness.contract.requests import RequestBuilder
from harness.engine.events import Result
from harness.outcome import Accounted
from harness.report.presented_run import PresentedRun
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
    """Judge the server at a URL by the checks that match; `shows`: its reports are written, too."""
    chosen, runs = [word for glob in globs for word in ("-c", glob)], list[PresentedRun]()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        hurry(patch, stretch)
        made = lambda *of, **more: runs.append(PresentedRun(*of, **more)) or runs[-1]  # noqa: E731
        patch.setattr("harness.cli.commands.check.PresentedRun", made)
        with nullcontext() if shows else redirect_stdout(io.StringIO()):
            told = ("--report", f"json={Path(folder, 'report.json')}") if shows else ("--quiet",)
            code = main(["check", url, *chosen, *words, *told, "--no-config"])
    judged = [result for result in runs[-1].results if result.outcome is not Accounted.EXCLUDED]
    found = {result.id: result.observation.findings for result in judged}
    codes = {name: [one.stable_code for one in findings] for name, findings in found.items()}
    messages = {name: [one.message for one in findings] for name, findings in found.items()}
    return Report(code, {result.id: word_of(result) for result in judged}, codes, messages)


def word_of(result: Result) -> str:
    """Return what a report says of a check, in a word that the rows of these tests use."""
    if result.outcome is Accounted.NOT_TESTED:
        return {"blocked": "blocked", "harness_error": "error"}.get(result.reason or "", "untestable")
    words = {"failed": "fail", "warned": "warn", "not_offered": "not_applicable"}
    return words.get(result.outcome) or ("info" if result.observation.findings else "pass")
