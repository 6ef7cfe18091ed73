"""A seed always gives the same plan, and the plans cover every fault."""

from __future__ import annotations

from harness.faults import (
    Chunks,
    Crlf,
    Cut,
    Drop,
    ErrorEvent,
    Ids,
    Inclusive,
    Late,
    Ping,
    Replay,
    Spot,
    Status,
    Unknown,
    random_plan,
)


def test_a_seed_is_for_ever() -> None:
    """A seed from an old report still gives the same plan."""
    assert str(random_plan(42)) == "random:42"
    assert random_plan(42).spelled == "blank:3,fin/unknown:all"
    assert random_plan(42, events=7).spelled == "before-headers,fin/status:408/event:2+55,bad-chunk"


def test_every_fault_has_its_chance() -> None:
    """All kinds of faults, places and drops occur within a few hundred seeds."""
    plans = map(random_plan, range(600))
    faults = [fault for plan in plans for connection in plan.connections for fault in connection.faults]
    kinds = {Cut, Status, Replay, Ping, Unknown, ErrorEvent, Ids, Late, Inclusive, Crlf, Chunks}
    assert {type(fault) for fault in faults} == kinds
    cuts = [fault for fault in faults if isinstance(fault, Cut)]
    assert {cut.place.spot for cut in cuts} == set(Spot) - {
        Spot.TIME,
        Spot.AFTER_COMPLETION,
    }  # newer than the seeds
    assert {cut.drop for cut in cuts} == set(Drop) - {Drop.BAD_HEAD}
