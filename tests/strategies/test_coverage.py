"""The share of the schemas that the strategies reach is measured."""

from __future__ import annotations

import pytest

from harness.strategies.coverage import UNREACHABLE, Coverage, measure, places

LEAST = {"interaction": 0.4, "event": 0.4, "requests/create-interaction": 0.4}
"""Shares that a few draws reach at least; `python -m harness.strategies.coverage` prints those of many draws."""


@pytest.mark.slow
@pytest.mark.parametrize("root", LEAST)
def test_a_few_draws_reach_most_of_a_schema(root: str) -> None:
    """A few draws reach this share of a schema: its branches, and its optional fields both present and absent."""
    assert measure(root, 150).share >= LEAST[root]


@pytest.mark.slow
def test_every_event_type_and_delta_type_is_drawn() -> None:
    seen = {part for pointer, part in measure("event", 300).seen if pointer in ("event", "delta")}
    wanted = {part for pointer, part in places("event") if pointer in ("event", "delta")}
    assert seen == wanted


@pytest.mark.slow
@pytest.mark.parametrize("root", UNREACHABLE)
def test_what_is_called_unreachable_is_never_drawn(root: str) -> None:
    """No legal value reaches a place listed as unreachable; the measure could see it, but does not count it."""
    assert not UNREACHABLE[root].keys() & measure(root, 300).seen
    coverage = Coverage(root)
    coverage.see({"event_type": "step.start", "index": 0, "step": {"type": "user_input", "content": []}})
    completed = {"id": "a", "status": "completed", "steps": []}
    coverage.see({"event_type": "interaction.completed", "interaction": completed})
    assert UNREACHABLE[root].keys() <= coverage.seen
    assert not UNREACHABLE[root].keys() & places(root)


def test_nothing_seen_is_nothing_covered() -> None:
    """Coverage is zero before any value, and stays small after a single one."""
    coverage = Coverage("event")
    assert coverage.share == 0
    coverage.see({"event_type": "step.stop", "index": 0})
    assert ("event", "events.step-stop") in coverage.seen
    assert 0 < coverage.share < 0.05
