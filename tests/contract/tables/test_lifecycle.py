"""The table of status transitions is complete, closed and no stricter than its sources."""

from __future__ import annotations

import pytest

from harness.contract.tables.lifecycle import RUNNING, SETTLED, STATUSES, TRANSITIONS, is_settled, may_follow
from harness.outcome import Basis


def test_every_status_has_its_row() -> None:
    """Each listed status has a row of followers, which are listed statuses too."""
    assert TRANSITIONS.keys() == STATUSES
    assert all(followers.keys() <= STATUSES for followers in TRANSITIONS.values())


def test_nothing_follows_a_settled_status() -> None:
    """A settled status is never followed by another one."""
    assert all(may_follow(before, after) is (before == after) for before in SETTLED for after in STATUSES)


def test_only_documented_ways_out_of_in_progress_are_called_documented() -> None:
    """Only the four transitions that the documentation names are marked as documented."""
    documented = {after for after, basis in TRANSITIONS["in_progress"].items() if basis is Basis.DOCUMENTED}
    assert documented == {"completed", "failed", "requires_action", "cancelled"}
    assert all(basis is Basis.INFERRED for basis in TRANSITIONS["queued"].values())


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
