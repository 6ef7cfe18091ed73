"""Servers whose runs fail: an honest answer each, and nothing is green if there is no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

pytestmark = pytest.mark.slow

CHOSEN = "create.*,bg.*,stream.*,get.*"


class FailsAll(ForeignService):
    """A wrong model, or no quota: every run fails, whatever it had brought."""

    def fails(self, run: Run) -> bool:
        """Whether a run fails."""
        return True

    def show(self, run: Run) -> Json:
        body = super().show(run)
        return {**body, "status": "failed"} if self._failed(run, body["status"]) else body

    def last_event(self, run: Run, told: Json) -> Json:
        event = super().last_event(run, told)
        if self.fails(run):
            event["interaction"]["status"] = "failed"
        return event

    def _failed(self, run: Run, status: str) -> bool:
        return self.fails(run) and status == "completed"


class FailsInBackground(FailsAll):
    """Whatever runs in the background fails."""

    def fails(self, run: Run) -> bool:
        return bool(run.body.get("background"))


class FailsAtTimes(FailsAll):
    """Correct, but unlucky: every third run fails."""

    def fails(self, run: Run) -> bool:
        return int(run.id[1:]) % 3 == 0


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (FailsAll(), "INCOMPLETE: no run completed: "),
        (FailsInBackground(), "INCOMPLETE: no background run completed: "),
    ],
)
def test_who_only_fails_is_not_judged(
    service: ForeignService, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The last line says what to do, and no format looks green."""
    formats = {name: tmp_path / name for name in ("badge", "junit", "markdown")}
    words = tuple(word for name, path in formats.items() for word in ("--report", f"{name}={path}"))
    report = check(service, CHOSEN, words=words)
    assert (report.exit, report.faults) == (4, {})
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(said)
    assert "(--model)" in last
    badge = json.loads(formats["badge"].read_text(encoding="utf-8"))
    assert (badge["message"], badge["color"]) == ("incomplete", "lightgrey")
    assert said in formats["markdown"].read_text(encoding="utf-8")
    assert 'errors="0"' not in formats["junit"].read_text(encoding="utf-8").splitlines()[1]


def test_who_fails_at_times_is_judged_by_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    """One run that completed shows what can be shown."""
    report = check(FailsAtTimes(), CHOSEN)
    assert report.exit != 4
    assert "run completed" not in capsys.readouterr().out
