"""The table of the order of streams is complete, names only rules and guards that exist, and can be printed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.contract.judge.stream_state import _GUARDS
from harness.contract.tables.stream_order import END, EVENTS, ORDER, OTHER, SENTINEL, STARTS, State, row_of
from harness.rules import BY_ID

DECIDED_AT_THE_END = {"is-over"}


def test_every_state_has_a_row_for_every_event() -> None:
    assert ORDER.keys() == set(State)
    assert all(rows.keys() == {*EVENTS, OTHER, SENTINEL, END} for rows in ORDER.values())
    assert {row.next for rows in ORDER.values() for row in rows.values()} | set(STARTS.values()) == set(State)


def test_what_a_row_breaks_is_a_rule() -> None:
    assert {row.breaks for rows in ORDER.values() for row in rows.values()} - {""} <= BY_ID.keys()


def test_every_guard_is_decided() -> None:
    named = {guard for rows in ORDER.values() for row in rows.values() for guard in row.guards}
    assert named - DECIDED_AT_THE_END == _GUARDS.keys()


@pytest.mark.parametrize("state", [State.BETWEEN_STEPS, State.IN_STEP, State.RESUMED])
def test_an_unknown_event_may_come_anywhere_inside(state: State) -> None:
    """An event type without rows changes nothing between the creation and the end."""
    assert row_of(state, "robot.moved").next is state
    assert not row_of(state, "robot.moved").breaks


def test_the_tables_can_be_printed() -> None:
    """`python -m harness.contract.tables` prints a line for each row of both tables."""
    command = [sys.executable, "-m", "harness.contract.tables"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len([line for line in lines if line]) == sum(map(len, ORDER.values())) + 9
    assert "EXPECT_CREATED  step.start                 breaks stream.first" in lines
    assert any(line.startswith("in_progress") and "FINISH" in line and "completed" in line for line in lines)
