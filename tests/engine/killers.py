"""Which check is known to notice which mutant, so that the proof asks that one first: `killers.json`.

`python -m tests.engine.killers` computes the whole matrix and writes the file again. A pair that is missing or no
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
    known: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))["checks"]
    return {check: mutant for check, mutant in known.items() if mutant in MUTANTS and check in CHECKS}


def main() -> None:
    """Write the file: for each mutant the check that notices fewest others, for each check likewise."""
    matrix = kill_matrix(INTERACTIONS)
    alone = {
        mutant: [killer for killer in killers if find_killers([CHECKS[killer]], mutant)]
        for mutant, killers in matrix.kills.items()
    }
    kills = Counter(killer for killers in alone.values() for killer in killers)
    mutants = {mutant: min(killers, key=lambda one: kills[one]) for mutant, killers in alone.items() if killers}
    checks: dict[str, str] = {}
    for mutant, killers in sorted(alone.items(), key=lambda row: len(row[1])):
        for killer in killers:
            checks.setdefault(killer, mutant)
    text = json.dumps({"mutants": mutants, "checks": dict(sorted(checks.items()))}, indent=1)
    FILE.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(
        f"{FILE.name}: {len(mutants)} of {len(MUTANTS)} mutants, {len(checks)} of {len(CHECKS)} checks\n"
    )


if __name__ == "__main__":
    main()
