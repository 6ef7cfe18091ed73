"""The rows of a table of mutants: an id, what is wrong, and the defect that does it.

Layer 2. A row is read in one look: what a user would notice comes first, how it is done after that. Every kept
resource has the same mutants (`life_rows`); a row of its area is for what is special to it.
"""

from __future__ import annotations

from functools import reduce
from itertools import chain
from typing import Any, TypeAlias

from harness.emulator.mutants.changes import answer, crash, is_missing, not_found, when
from harness.emulator.mutants.hooks import error, request
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
    places: list[Any] = [getattr(defect, "places", None) for defect in defects]
    return Mutant(
        mutant_id,
        summary,
        reduce(lambda emulator, defect: defect(emulator), defects, Emulator),
        places=None if None in places else tuple(chain.from_iterable(places)),
    )


_HOW = "a hook of `mutants/hooks.py` or `mutants/parts.py` with a change, such as status(turn(queued='completed'))"


def life_rows(prefix: str, collection: str, many: str) -> tuple[EmulatorMutant, ...]:
    """The mutants whose resources, called `many`, do not live as they should."""
    return (
        row(f"{prefix}-not-kept", f"Made {many} are not found.",
            request(f"GET {collection}/*", not_found)),
        row(f"{prefix}-list-empty", f"The list of {many} is always empty.",
            request(f"GET {collection}", answer({}))),
        row(f"{prefix}-delete-keeps", f"A delete of {many} returns 200 but they are kept.",
            request(f"DELETE {collection}/*", answer({}))),
    )  # fmt: skip


def unknown_rows(prefix: str, collection: str, many: str) -> tuple[EmulatorMutant, ...]:
    """The mutants that do not refuse a read of `many` that do not exist."""
    return (
        row(f"{prefix}-unknown-200", f"A read of unknown {many} returns 200.",
            error(f"GET {collection}/*", when(is_missing, answer({})))),
        row(f"{prefix}-unknown-crashes", f"A read of unknown {many} returns 500.",
            error(f"GET {collection}/*", when(is_missing, crash))),
    )  # fmt: skip
