"""Which check is known to notice which mutant, so that the proof asks that one first.

The row of a rule names a mutant for its check; `killers.json` has a check for each mutant that no row names.
`python -m tests.engine.killers` computes the whole matrix, writes the file again, and prints the rows whose mutant
should be another. A pair that is missing or no
longer true costs time and nothing else: the proof then searches as it would without the file.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

from harness.emulator.mutants import MUTANTS
from harness.engine.kill_matrix import Bench, kill_matrix
from harness.interactions import INTERACTIONS, embedded_settings
from harness.kit.check import Check
from harness.rules import ROWS

FILE = Path(__file__).with_name("killers.json")
CHECKS = {check.id: check for check in INTERACTIONS.load_catalogue()}


@cache
def bench(checks: tuple[Check, ...]) -> Bench:
    """Some checks, played against the reference once in this process."""
    return Bench(INTERACTIONS, checks)


def find_killers(checks: Iterable[Check], mutant: str) -> tuple[str, ...]:
    """Which of some checks notice a mutant, on the exercises of these alone."""
    one = MUTANTS[mutant]
    played = bench(tuple(checks)).row(mutant, partial(one.build, embedded_settings()), one.places)
    assert played.errors == (), f"our own fault, whatever {mutant} answered"
    return played.killers


VICTIMS = {row.rule.id: row.mutant for row in ROWS.values() if row.mutant}
"""The mutant that a check notices in its own exercise alone, by check, as its row says."""


@cache
def load_killers() -> dict[str, str]:
    """A check that is known to notice a mutant, in its own exercise alone or in those of all, by mutant."""
    known: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
    known |= {mutant: check for check, mutant in VICTIMS.items()}
    return {mutant: check for mutant, check in known.items() if mutant in MUTANTS and check in CHECKS}


def main() -> None:
    """Write the file: for each mutant that no row names, the check that notices fewest others."""
    matrix = kill_matrix(INTERACTIONS)
    alone = {
        mutant: [killer for killer in killers if find_killers([CHECKS[killer]], mutant)] or list(killers)
        for mutant, killers in matrix.kills.items()
    }
    kills = Counter(killer for killers in alone.values() for killer in killers)
    known = {mutant: min(killers, key=lambda one: kills[one]) for mutant, killers in alone.items() if killers}
    others = {mutant: check for mutant, check in known.items() if mutant not in VICTIMS.values()}
    FILE.write_text(json.dumps(others, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{FILE.name}: {len(others)} of {len(MUTANTS)} mutants, rows name the others\n")
    for check in CHECKS:
        victims = [mutant for mutant, killers in alone.items() if check in killers]
        if victims and VICTIMS.get(check) not in victims:
            best = min(victims, key=lambda one: len(alone[one]))
            sys.stdout.write(f"{ROWS[check].area}.yaml: {check}: write `mutant: {best}`\n")


if __name__ == "__main__":
    main()
