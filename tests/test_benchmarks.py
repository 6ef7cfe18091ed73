"""The benchmarks still find what they measure: modules move, and nothing else imports a benchmark."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import _against
from benchmarks.__main__ import benchmarks
from benchmarks.waits import open_fixtures


@pytest.mark.parametrize("name", benchmarks())
def test_a_benchmark_is_imported(name: str) -> None:
    """Each has its `main`, and imports what there is."""
    pytest.importorskip("google.genai")  # some stand beside it
    assert callable(importlib.import_module(f"benchmarks.{name}").main)


@pytest.mark.slow
def test_the_first_fixture_is_measured() -> None:
    """What runs in a process of its own runs to its end, and the first time holds the imports."""
    first, again, libraries = open_fixtures(_against.Checkout("now", _against.ROOT, sys.executable))
    assert first > libraries > again > 0


COSTS = {"now": iter(()), "then": iter(())}


@contextmanager
def scripted(checkout: _against.Checkout) -> Iterator[_against.Turns]:
    """A group whose costs are given."""
    yield {"work": lambda: next(COSTS[checkout.name])}


@pytest.mark.parametrize(
    ("now", "then", "ratio"),
    [
        ([1.0, 9.0, 1.2], [1.0, 9.0, 1.0], 1.0),
        ([1.2, 9.0, 1.2], [1.0, 3.0, 1.0], 1.2),
        ([None, None, None], [1.0, 1.0, 1.0], None),
    ],
    ids=["one-bad-turn", "all-turns", "missing"],
)
def test_a_row_is_lost_by_the_median_of_its_pairs(
    now: list[float], then: list[float], ratio: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Load that both feel is no loss, and neither is one bad turn."""
    monkeypatch.setitem(COSTS, "now", iter(now))
    monkeypatch.setitem(COSTS, "then", iter(then))
    monkeypatch.setitem(_against.GROUPS, "work", _against.Group(scripted, 3))
    sides = (_against.Checkout(name, Path(), sys.executable) for name in ("now", "then"))
    (row,) = _against.compare(*sides, ["work"])
    assert row.ratio == ratio
    assert row.lost is (ratio == 1.2)


def test_an_unknown_commit_is_named() -> None:
    """Nothing is set up for it."""
    with pytest.raises(SystemExit, match="no-such-commit: there is no such commit in this repository"):
        _against.prepare("no-such-commit")
