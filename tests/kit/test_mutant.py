"""Tables of mutants: what a row must have, and what is said of one that lacks it."""

from __future__ import annotations

import pytest

from harness.kit.mutant import Mutant, collect, table


def mutant(name: str, summary: str = "It is wrong.") -> Mutant[type[list[int]]]:
    """Return a mutant that builds a list."""
    return Mutant(name, summary, list)


def test_a_table_names_the_area_of_its_mutants() -> None:
    """Every mutant of a table has its area, and is otherwise what the row says."""
    assert table("area", mutant("a"), mutant("b")) == (
        Mutant("a", "It is wrong.", list, "area"),
        Mutant("b", "It is wrong.", list, "area"),
    )


def test_mutants_are_collected_in_order() -> None:
    """Tables are joined in the order given, by id."""
    mutants = collect(table("two", mutant("b")), table("one", mutant("a")))
    assert list(mutants) == ["b", "a"]
    assert mutants["a"].build((1,)) == [1]


@pytest.mark.parametrize(("bad", "message"), [
    (mutant(""), "a mutant of 'area' has no id: give it a short name such as 'status-missing'"),
    (mutant("a", ""), "the mutant 'a' has the summary '': describe its defect in one sentence with a period"),
    (
        mutant("a", "Wrong"),
        "the mutant 'a' has the summary 'Wrong': describe its defect in one sentence with a period",
    ),
])  # fmt: skip
def test_a_mutant_that_is_not_described_is_refused(bad: Mutant[type[list[int]]], message: str) -> None:
    """A row without an id or a sentence on what is wrong raises ValueError and says what to do."""
    with pytest.raises(ValueError) as caught:
        table("area", bad)
    assert message in str(caught.value)


def test_an_id_that_is_taken_is_refused() -> None:
    """Two mutants with the same id raise ValueError, which names both areas."""
    with pytest.raises(ValueError, match="two mutants are named 'a', in 'one' and in 'two': rename one"):
        collect(table("one", mutant("a")), table("two", mutant("a")))
    with pytest.raises(ValueError, match="in 'one' and in 'one'"):
        collect(table("one", mutant("a"), mutant("a", "It is worse.")))
