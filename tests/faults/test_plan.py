"""Plans are values that assign faults to connections."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.faults import Compress, Connection, Fault, Inclusive, Plan, Status, grammar, parse

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

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


def test_every_fault_is_played_and_written_about() -> None:
    """A fault has a stage, or is of the head or the request; its word of a plan has a row in the documentation."""
    elsewhere = (Status, Inclusive, Compress)  # of these nothing else is done to the body
    idle = [f.__name__ for f in {*grammar.FAULTS.values()} if f.stage is Fault.stage and f not in elsewhere]
    assert not idle, f"nothing plays {', '.join(idle)}: write its stage"
    unwritten = [name for name in grammar.FAULTS if f"`{name}" not in PAGE.read_text("utf-8")]
    assert not unwritten, f"docs/faults.md does not say what these faults do, add a row: {', '.join(unwritten)}"


def test_values_refuse_what_the_grammar_refuses() -> None:
    """A plan built in code is validated like one that is parsed."""
    with pytest.raises(ValueError, match="at least one connection"):
        Plan(())
    with pytest.raises(ValueError, match="times is 0"):
        Connection((), 0)
