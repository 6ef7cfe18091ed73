"""What the hot paths cost, counted: `benchmarks/budget.toml` says how much, and why a row may cost more."""

from __future__ import annotations

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
