"""The services with one defect each: the built-in ones, and those that users add."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.kit.api import load_named_extensions

if TYPE_CHECKING:
    from harness.kit.mutant import Mutant


def load_mutants() -> Mapping[str, Mutant[Any]]:
    """Every mutant by its id."""
    from harness.emulator.mutants import MUTANTS

    extensions = load_named_extensions()
    if not extensions:  # a kill matrix asks ten thousand times
        return MUTANTS
    return {**MUTANTS, **{mutant.id: mutant for one in extensions for mutant in one.mutants}}
