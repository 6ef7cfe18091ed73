"""Which check is known to notice which mutant, so that the proof asks that one first: `killers.json`.

The row of a rule names a `mutant` that its check notices. `python -m tests.engine.killers` computes the whole
matrix, writes the file again, and prints the rows whose mutant is another. A pair that is missing or no
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
    played = bench(tuple(checks)).row(mutant, partial(MUTANTS[mutant].build, embedded_settings()))
    assert played.errors == (), f"our own fault, whatever {mutant} answered"
    return played.killers


@cache
def load_killers() -> dict[str, str]:
    """A check that is known to notice a mutant, in its own exercise alone, by mutant."""
    known: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))["mutants"]
    return {mutant: check for mutant, check in known.items() if mutant in MUTANTS and check in CHECKS}


@cache
def load_victims() -> dict[str, str]:
    """A mutant that a check is known to notice, in its own exercise alone, by check."""
    return {check: ROWS[check].mutant for check in CHECKS if ROWS[check].mutant in MUTANTS}


def main() -> None:
    """Write the file: for each mutant the check that notices fewest others; print what rows should say."""
    matrix = kill_matrix(INTERACTIONS)
    alone = {
        mutant: [killer for killer in killers if find_killers([CHECKS[killer]], mutant)]
        for mutant, killers in matrix.kills.items()
    }
    kills = Counter(killer for killers in alone.values() for killer in killers)
    mutants = {mutant: min(killers, key=lambda one: kills[one]) for mutant, killers in alone.items() if killers}
    text = json.dumps({"mutants": mutants}, indent=1)
    FILE.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{FILE.name}: {len(mutants)} of {len(MUTANTS)} mutants\n")
    for check in CHECKS:
        victims = [mutant for mutant, killers in alone.items() if check in killers]
        if victims and ROWS[check].mutant not in victims:
            best = min(victims, key=lambda one: len(alone[one]))
            sys.stdout.write(f"{ROWS[check].area}.yaml: {check}: write `mutant: {best}`\n")


if __name__ == "__main__":
    main()
