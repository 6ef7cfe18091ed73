"""Draw values from a strategy in tests: deterministic, without an example database."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy


def draws(strategy: SearchStrategy[Any], number: int = 0) -> list[Any]:
    """`number` values drawn from the strategy, always the same; by default 40, and 80 with `--thorough`."""
    number = number or (40 if settings.default.derandomize else 80)
    found: list[Any] = []

    @settings(
        max_examples=number, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found


def least(
    strategy: SearchStrategy[Any], wanted: Callable[[Any], bool], phases: Collection[Phase] = tuple(Phase)
) -> Any:
    """The least of the wanted values, or, without the phase of shrinking, the first one drawn."""
    from hypothesis import find

    limits = settings(database=None, max_examples=2000, derandomize=True, phases=phases)
    return find(strategy, wanted, settings=limits)
