"""How a run is divided: every exercise in one shard, the same on every machine, about as much to do for each."""

from __future__ import annotations

import pytest

from harness.engine.capabilities import everything
from harness.engine.plan import RunPlan, Selection, make_plan
from harness.engine.sharding.shards import ELSEWHERE, Shard, choose_groups, split_plan
from harness.interactions import INTERACTIONS


@pytest.fixture(scope="module")
def plan() -> RunPlan:
    """The plan for a target that can do everything."""
    able = everything(INTERACTIONS.load_capabilities())
    return make_plan(INTERACTIONS.load_catalogue(), Selection(), able, INTERACTIONS.load_profiles())


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_each_exercise_is_in_one_shard(plan: RunPlan, of: int) -> None:
    """The parts cover the plan, none twice, and their requests differ by no more than the dearest exercise."""
    parts = [choose_groups(plan.groups, Shard(number, of), {}) for number in range(1, of + 1)]
    names = [name for part in parts for name in part]
    assert sorted(names) == sorted(exercise.name for exercise, _ in plan.groups)
    cost = {exercise.name: max(exercise.requests, 1) for exercise, _ in plan.groups}
    loads = [sum(cost[name] for name in part) for part in parts]
    assert max(loads) - min(loads) <= max(cost.values())


def test_measured_seconds_outweigh_requests(plan: RunPlan) -> None:
    """An exercise that took as long as all others together has a shard for itself."""
    first, members = plan.groups[0]
    seconds = {planned.check.id: 1.0 for planned in plan.checks}
    seconds |= {planned.check.id: 1_000.0 for planned in members}
    parts = [choose_groups(plan.groups, Shard(number, 2), seconds) for number in (1, 2)]
    assert {first.name} in parts


def test_a_split_plan_keeps_what_is_its_own(plan: RunPlan) -> None:
    """A part has the whole catalogue; a check runs in exactly one part and is left out of the others."""
    parts = [split_plan(plan, Shard(number, 3), {}) for number in (1, 2, 3)]
    for planned in zip(*(part.checks for part in parts), strict=True):
        assert len({item.check.id for item in planned}) == 1
        running = [item for item in planned if item.skip is None]
        assert len(running) == 1
        assert [item.skip for item in planned if item.skip is not None] == [ELSEWHERE, ELSEWHERE]
