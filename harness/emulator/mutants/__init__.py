"""Wrong implementations: the reference emulator with one named defect each.

Layer 2. Every check of the catalogue must notice at least one mutant, and every mutant must be noticed by at least
one check (`harness mutants`). A new mutant is a subclass in the module of its area; a new area goes into `_AREAS`.
"""

from typing import Any

from harness.emulator.mutants import (
    agents,
    auth,
    background,
    cancel,
    chain,
    content,
    crashes,
    create,
    delete,
    environments,
    errors,
    http,
    inputs,
    own_agents,
    readers,
    resume,
    robustness,
    shapes,
    storage,
    stream,
    stream_end,
    stream_steps,
    tool_results,
    tools,
    uploads,
    webhooks,
)
from harness.emulator.mutants.mutant import Area, Mutant

__all__ = ["MUTANTS"]

_AREAS: tuple[Any, ...] = (
    http,
    auth,
    errors,
    create,
    inputs,
    crashes,
    content.CONTENT,
    shapes.SHAPES,
    storage.STORAGE,
    delete.DELETE,
    stream.STREAM,
    stream_steps.STEPS,
    stream_end.END,
    resume.RESUME,
    readers.READERS,
    background.BACKGROUND,
    cancel.CANCEL,
    chain.CHAIN,
    tools.TOOLS,
    tool_results.RESULTS,
    agents.AGENTS,
    own_agents.OWN_AGENTS,
    environments.ENVIRONMENTS,
    uploads.UPLOADS,
    webhooks.WEBHOOKS,
    robustness.ROBUSTNESS,
)


def _registry() -> dict[str, Mutant]:
    mutants: dict[str, Mutant] = {}
    for area in _AREAS:
        for mutant in area.mutants if isinstance(area, Area) else area.MUTANTS:
            if mutant.id in mutants:
                raise ValueError(f"two mutants are named {mutant.id!r}")
            mutants[mutant.id] = mutant
    return mutants


MUTANTS: dict[str, Mutant] = _registry()
"""Every mutant by its id, in the order of the areas."""
