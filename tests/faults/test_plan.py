"""Plans as values: which connection suffers what."""

from __future__ import annotations

import pytest

from harness.faults import Connection, Plan, parse

TABLE = {
    "ping:1": ["ping:1", "", ""],
    "ping:1/pass/ping:3": ["ping:1", "", "ping:3", ""],
    "ping:1,times:2/ping:2": ["ping:1", "ping:1", "ping:2", ""],
    "pass/ping:1,times:all": ["", "ping:1", "ping:1", "ping:1"],
    "pass": ["", ""],
}


@pytest.mark.parametrize("text", TABLE)
def test_connections_come_in_order(text: str) -> None:
    """`times` repeats, `times:all` never ends, what is past the end is left alone."""
    plan = parse(text)
    assert [",".join(map(str, plan.faults(number))) for number in range(len(TABLE[text]))] == TABLE[text]


def test_values_refuse_what_the_grammar_refuses() -> None:
    """A plan built in code is checked at the same door."""
    with pytest.raises(ValueError, match="at least one connection"):
        Plan(())
    with pytest.raises(ValueError, match="times is 0"):
        Connection((), 0)
