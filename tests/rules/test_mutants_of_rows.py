"""The proof that every check can fail: each notices the mutant that its row names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache

import pytest

from harness.emulator.mutants import MUTANTS
from harness.interactions.servers import SERVERS
from harness.kit.check import Check
from harness.rules import ROWS
from lab.kill_matrix import Bench

CHECKS_BY_AREA: dict[str, list[Check]] = defaultdict(list)
for check in SERVERS.load_catalogue():
    CHECKS_BY_AREA[check.rule.area].append(check)


@cache
def bench(checks: tuple[Check, ...]) -> Bench:
    """Some checks, played against the reference once in this process."""
    return Bench(SERVERS, checks)


def find_killers(checks: Iterable[Check], mutant: str) -> tuple[str, ...]:
    """Which of some checks notice a mutant, on the exercises of these alone."""
    played = bench(tuple(checks)).play_mutant(mutant)
    assert played.errors == (), f"our own fault, whatever {mutant} answered"
    return played.killers


@pytest.mark.slow
@pytest.mark.parametrize("area", CHECKS_BY_AREA)
def test_every_check_notices_the_mutant_of_its_row(area: str) -> None:
    """In its own exercise, or in one of its area."""
    unproved = set()
    for check in CHECKS_BY_AREA[area]:
        mutant = ROWS[check.id].mutant
        if mutant not in MUTANTS or not (
            find_killers([check], mutant) or check.id in find_killers(CHECKS_BY_AREA[area], mutant)
        ):
            unproved.add(f"{check.id} ({mutant or 'none'})")
    assert not unproved, (
        f"these checks do not notice the mutant of their row: {', '.join(sorted(unproved))}; name another in "
        "harness/rules, or add one to harness/emulator/mutants that breaks the rule"
    )
