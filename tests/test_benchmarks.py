"""The benchmarks still find what they measure: modules move, and nothing else imports a benchmark."""

from __future__ import annotations

import importlib
import time

import pytest

from benchmarks.__main__ import benchmarks
from benchmarks.plugin import dropped_streams, fixture, plain


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


def test_dropped_streams_are_measured_by_the_clock_of_the_machine() -> None:
    """The pauses that are skipped between the connections of a case do not count as time that it took."""
    began = time.perf_counter()
    measured = dropped_streams(plain, 20)
    assert 0 < measured < time.perf_counter() - began
