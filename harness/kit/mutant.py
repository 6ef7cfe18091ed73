"""A mutant: a service with one named defect, which proves that a rule can fail.

Declares and collects mutants of any service. Must not know what a defect is nor how it gets into a service: that
is for the package whose mutants they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

Build = TypeVar("Build", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Mutant(Generic[Build]):
    """One wrong service. `summary` is one sentence about its defect.

    `build` takes the arguments of the faithful service and makes the defective one. `area` groups mutants: for a
    mutant of a reference service it is the area of its rule, for a mutant made for one rule it is the rule.
    """

    id: str
    summary: str
    build: Build
    area: str = ""


def table(area: str, *rows: Mutant[Build]) -> tuple[Mutant[Build], ...]:
    """Return the mutants of one area. Raises ValueError if one of them is not described."""
    for row in rows:
        if not row.id:
            raise ValueError(f"a mutant of {area!r} has no id: give it a short name such as 'status-missing'")
        if not row.summary.endswith("."):
            raise ValueError(
                f"the mutant {row.id!r} has the summary {row.summary!r}: describe its defect in one sentence "
                "with a period"
            )
    return tuple(replace(row, area=area) for row in rows)


def collect(*tables: tuple[Mutant[Build], ...]) -> dict[str, Mutant[Build]]:
    """Return all mutants by id, in order. Raises ValueError if an id is taken twice."""
    mutants: dict[str, Mutant[Build]] = {}
    for rows in tables:
        for mutant in rows:
            taken = mutants.setdefault(mutant.id, mutant)
            if taken is not mutant:
                raise ValueError(
                    f"two mutants are named {mutant.id!r}, in {taken.area!r} and in {mutant.area!r}: rename one"
                )
    return mutants
