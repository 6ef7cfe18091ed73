"""The baseline file: it can only ratchet, keeps reasons, and never hides a typo."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engine.baseline import UNEXPLAINED, Baseline, Entry, read_baseline
from harness.engine.results import Result
from harness.outcome import Observation, Outcome, UsageFault, Verdict
from tests.engine import toys

KNOWN = ["create.ok", "get.odd", "stream.first"]


def result(check: toys.Check, verdict: Verdict) -> Result:
    """A result with the given verdict."""
    return Result(id=check.id, rule=check.rule, title="", observation=Observation(Outcome.MET), verdict=verdict)


def read(text: str, folder: Path) -> Baseline:
    """Read a baseline file with this text."""
    path = folder / "baseline.yaml"
    path.write_text(text, encoding="utf-8")
    return read_baseline(path, KNOWN)


def test_round_trip(tmp_path: Path) -> None:
    """A baseline that is written reads back the same."""
    coded = Entry("get.odd", "b", "2026-11-20", "get.odd/gap")
    before = Baseline([Entry("get.odd", "a reason: with a colon", "2026-11-20"), coded])
    assert read(before.text(), tmp_path).entries == before.entries
    assert read(Baseline().text(), tmp_path).entries == {}


def test_update_adds_failures_and_keeps_reasons() -> None:
    """An update adds new failures without a reason, and leaves known entries unchanged."""
    old = Baseline([Entry("get.odd", "known", "2026-01-01")])
    new = old.with_failures([result(toys.CREATE, Verdict.FAIL), result(toys.ODD, Verdict.XFAIL)], "2026-11-20")
    assert new.entries["get.odd"] == old.entries["get.odd"]
    assert new.entries["create.ok"] == Entry("create.ok", UNEXPLAINED, "2026-11-20")


def test_prune_takes_out_stale_entries_only() -> None:
    """Pruning removes an entry whose check passed, and keeps one whose check did not run."""
    old = Baseline([Entry("create.ok", "a", ""), Entry("get.odd", "b", "")])
    new = old.without_stale([result(toys.CREATE, Verdict.STALE), result(toys.ODD, Verdict.NOT_RUN)])
    assert list(new.entries) == ["get.odd"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("- id: get.odd\n  raeson: x\n", "did you mean 'reason'"),
        ("- id: stream.first\n  finding: stream.first/no-evnt\n", "did you mean 'stream.first/no-event'"),
        ("get.odd: x\n", "write a list"),
        ("- get.odd\n", "has no id"),
        ("- [\n", "line 2 is not readable as YAML"),
    ],
)
def test_wrong_files_are_usage_faults(text: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match=hint):
        read(text, tmp_path)


def test_missing_file(tmp_path: Path) -> None:
    """A missing baseline file is an error that says how to create one."""
    with pytest.raises(UsageFault, match="--baseline-update"):
        read_baseline(tmp_path / "none.yaml", KNOWN)
