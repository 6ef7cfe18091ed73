"""The benchmarks still find what they measure: modules move, and nothing else imports a benchmark."""

from __future__ import annotations

import importlib

import pytest

from benchmarks.__main__ import benchmarks
from benchmarks.plugin import fixture


@pytest.mark.parametrize("name", benchmarks())
def test_a_benchmark_is_imported(name: str) -> None:
    """Each has its `main`, and imports what there is."""
    pytest.importorskip("google.genai")  # some stand beside it
    assert callable(importlib.import_module(f"benchmarks.{name}").main)


@pytest.mark.slow
def test_the_first_fixture_is_measured() -> None:
    """What runs in a process of its own runs to its end, and the first time holds the imports."""
    first, again = fixture()
    assert first > again > 0
