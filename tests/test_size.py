"""The budgets of `size.toml`: they only go down."""

from __future__ import annotations

import pytest

from tests import size


@pytest.mark.slow
def test_each_figure_is_within_its_budget() -> None:
    """A row that fell is lowered, so that it cannot rise again unseen; one that rises needs a user."""
    measured, table = size.measure(), size.read_table()
    assert measured.keys() == table.keys(), "a figure without a budget would grow without an end"
    assert [wrong for section in table for wrong in size.compare(measured[section], table[section])] == []
