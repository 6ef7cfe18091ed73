"""Plans are values that assign faults to connections."""

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
    """Faults apply to connections in order: `times` repeats, `times:all` never ends, later ones are untouched."""
    plan = parse(text)
    assert [",".join(map(str, plan.faults(number))) for number in range(len(TABLE[text]))] == TABLE[text]


def test_values_refuse_what_the_grammar_refuses() -> None:
    """A plan built in code is validated like one that is parsed."""
    with pytest.raises(ValueError, match="at least one connection"):
        Plan(())
    with pytest.raises(ValueError, match="times is 0"):
        Connection((), 0)
