"""Generated defects that a search finds and no check reports; the machine that lists them sees one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.__main__ import main
from lab.defects.scenes import BODY, ODDITY, Scene, WireDefect
from lab.missed import find_failures
from lab.score import FAILED, SURVIVED

pytestmark = pytest.mark.slow

LOOK = Scene("GET interactions/{id}", "plain", "after the end")


@pytest.mark.thorough
def test_the_search_finds_little_that_the_checks_miss(capsys: pytest.CaptureFixture[str]) -> None:
    """Each find waits for an exercise; docs/mutation.md names those that are known. A legal server is no find."""
    assert list(find_failures(WireDefect(ODDITY, "keys reversed", Scene("", "", "")))) == []
    main(["missed", "--sample", "200", "--seed", "3"])
    total = capsys.readouterr().out.splitlines()[-1]
    assert int(total.partition("the search found ")[2].split()[0]) <= 3


def test_a_missed_defect_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report in which the checks overlooked a missing status; what a check reported is not searched."""
    lost = WireDefect(BODY, "dropped", LOOK, "status")
    seen = WireDefect(BODY, "dropped", LOOK, "id")
    rows = [
        {"id": defect.id, **defect.to_record(), "outcome": outcome, "excuse": ""}
        for defect, outcome in ((lost, SURVIVED), (seen, FAILED))
    ]
    report = tmp_path / "score.json"
    report.write_text(json.dumps({"defects": rows}), "utf-8")
    assert main(["missed", "--from", str(report)]) == 1
    line, total = capsys.readouterr().out.splitlines()
    assert line == f"missed: {lost.id}: create.status"
    assert total == "FAILED: of 2 generated defects the checks did not report 1; the search found 1 of these"
