"""Wrong implementations: the reference emulator with one named defect each.

Every check of the catalog must kill at least one mutant, and at least one check must kill every mutant (`harness
mutants`). A new mutant is a row in the table of its area, whose name is that of its rules.
"""

from importlib import import_module

from harness.emulator.mutants.hooks import EmulatorMutant
from harness.kit.mutant import collect
from harness.rules import AREAS

__all__ = ["MUTANTS"]

MUTANTS: dict[str, EmulatorMutant] = collect(*(import_module(f"{__name__}.{area}").MUTANTS for area in AREAS))
"""Every mutant by its id, in the order of the areas."""
