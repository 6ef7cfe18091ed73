"""The budgets of `size.toml`: they only go down."""

from __future__ import annotations

from collections.abc import Mapping
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


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ({"room": {"most": 100}}, None),
        ({"room": {"most": 102}}, None),
        ({"room": {"most": 99}}, "room is 100, and size.toml allows 99: "),
        ({"room": {"most": 200}}, "room fell from 200 to 100: python -m tests.size --write"),
        ({}, "room is 100 and has no row: "),
        ({"room": {"most": 100}, "gone": {"most": 1}}, "gone is in size.toml and not in the project: "),
    ],
    ids=["equal", "a little less", "more", "much less", "no row", "no room"],
)
def test_a_difference_is_named(allowed: Mapping[str, object], said: str | None) -> None:
    """With the next step."""
    wrong = size.compare({"room": 100}, allowed)
    assert [line[: len(said or "")] for line in wrong] == ([said] if said else [])
