"""What the hot paths cost, counted: `benchmarks/budget.toml` says how much, and why a row may cost more."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks import budget

TABLE = budget.read_table()
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.mark.slow
@pytest.mark.skipif(TABLE["python"] != VERSION, reason=f"the counts are those of Python {TABLE['python']}")
@pytest.mark.parametrize("row", budget.ROWS)
def test_a_path_costs_what_the_table_says(row: str, tmp_path: Path) -> None:
    """No count has risen; one that fell is written into the table, so that it cannot rise again unseen."""
    assert budget.compare(row, budget.count(row, tmp_path), TABLE[row]) == []


def test_every_row_is_in_the_table() -> None:
    """A path without a count would never be compared."""
    assert set(TABLE) == {"python", *budget.ROWS}
    assert all("why" in TABLE[row] for row in budget.ROWS)


@pytest.mark.parametrize(
    ("counted", "said"),
    [(10, None), (11, r"row\.calls is 11, and budget\.toml allows 10"), (9, r"row\.calls fell from 10 to 9")],
    ids=["same", "more", "less"],
)
def test_a_count_that_differs_is_named(counted: int, said: str | None) -> None:
    """In both directions, with the command to run."""
    wrong = budget.compare("row", {"calls": counted}, {"calls": 10, "why": []})
    assert len(wrong) == (said is not None)
    assert said is None or re.search(said, wrong[0])


def test_a_row_rises_only_with_a_reason() -> None:
    """The reason stays with the row; a count that falls needs none."""
    table = {"row": {"calls": 10, "why": ["calls 8 to 10: a guard"]}}
    with pytest.raises(SystemExit, match="row: calls would rise: say with --why"):
        budget.update(table, "row", {"calls": 11}, "")
    budget.update(table, "row", {"calls": 11}, "another guard")
    assert table["row"] == {"calls": 11, "why": ["calls 8 to 10: a guard", "calls 10 to 11: another guard"]}
    budget.update(table, "row", {"calls": 5}, "")
    assert table["row"]["calls"] == 5
