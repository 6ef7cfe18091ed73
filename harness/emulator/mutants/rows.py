"""One row of a table of mutants: an id, what is wrong, and the defect that does it.

Layer 2. A row is read in one look: what a user would notice comes first, how it is done after that.
"""

from __future__ import annotations

from functools import reduce
from typing import TypeAlias

from harness.emulator.mutants.parts import Defect
from harness.emulator.service import Emulator
from harness.kit.mutant import Mutant

EmulatorMutant: TypeAlias = Mutant[type[Emulator]]


def row(mutant_id: str, summary: str, *defects: Defect) -> EmulatorMutant:
    """Return the emulator with these defects as a mutant. Raises ValueError if there is none."""
    for defect in defects:
        if not callable(defect):
            raise ValueError(f"the mutant {mutant_id!r} has the defect {defect!r}: write {_HOW}")
    if not defects:
        raise ValueError(f"the mutant {mutant_id!r} has no defect: write {_HOW}")
    return Mutant(mutant_id, summary, reduce(lambda emulator, defect: defect(emulator), defects, Emulator))


_HOW = "a hook of `mutants/hooks.py` or `mutants/parts.py` with a change, such as status(turn(queued='completed'))"
