"""The table of status transitions is complete, closed and no stricter than its sources."""

from __future__ import annotations

import pytest

from harness.contract.tables.lifecycle import (
    LIFECYCLE,
    RUNNING,
    SETTLED,
    STATUSES,
    TransitionTrigger,
    is_settled,
    may_follow,
)
from harness.outcome import Basis, HarnessFault


def test_every_status_has_its_row() -> None:
    rows = LIFECYCLE.transitions
    assert {"queued", *(row.after for row in rows)} == STATUSES
    assert {row.before for row in rows} == RUNNING


def test_a_trigger_leads_to_one_status() -> None:
    """The table says what comes next, and refuses a trigger that moves nothing, with those that would."""
    assert LIFECYCLE.next_status("queued", TransitionTrigger.START) == "in_progress"
    assert LIFECYCLE.next_status("in_progress", LIFECYCLE.trigger_of("requires_action")) == "requires_action"
    with pytest.raises(HarnessFault, match=r"FINISH does not move a run that is queued.*START, CANCEL"):
        LIFECYCLE.next_status("queued", TransitionTrigger.FINISH)
    with pytest.raises(HarnessFault, match="nothing leads to 'paused'"):
        LIFECYCLE.trigger_of("paused")


def test_nothing_follows_a_settled_status() -> None:
    assert all(may_follow(before, after) is (before == after) for before in SETTLED for after in STATUSES)


def test_only_documented_ways_out_of_in_progress_are_called_documented() -> None:
    """Only the four transitions that the documentation names are marked as documented."""
    documented = [row for row in LIFECYCLE.transitions if row.basis is Basis.DOCUMENTED]
    assert {row.after for row in documented} == {"completed", "failed", "requires_action", "cancelled"}
    assert {row.before for row in documented} == {"in_progress"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("queued", "in_progress", True),
        ("queued", "completed", True),
        ("in_progress", "incomplete", True),
        ("in_progress", "queued", False),
        ("completed", "in_progress", False),
        ("cancelled", "completed", False),
        ("in_progress", "paused", None),
        ("paused", "completed", None),
    ],
)
def test_may_follow(before: str, after: str, expected: bool | None) -> None:
    """A poll may skip statuses but never go back, and nothing is claimed about unlisted ones."""
    assert may_follow(before, after) is expected


@pytest.mark.parametrize(
    ("status", "settled"), [("completed", True), ("new", True), ("queued", False), ("", False), (None, False)]
)
def test_is_settled(status: object, settled: bool) -> None:
    """Polling stops at any status except a running or missing one, as in the documentation's loop."""
    assert is_settled(status) is settled
    assert all(not is_settled(running) for running in RUNNING)
