"""The budgets of `size.toml`: they only go down."""

from __future__ import annotations

from functools import cache

import pytest

from tests import size


@cache
def _measured() -> size.Sizes:
    return size.measure()


@pytest.mark.slow
@pytest.mark.parametrize("section", size.read_table())
def test_each_figure_is_within_its_budget(section: str) -> None:
    """A row that fell is lowered, so that it cannot rise again unseen; one that rises needs a user."""
    assert size.compare(_measured()[section], size.read_table()[section]) == []


@pytest.mark.slow
def test_each_section_is_in_the_table() -> None:
    """A figure without a budget would grow without an end."""
    assert set(_measured()) == set(size.read_table())
