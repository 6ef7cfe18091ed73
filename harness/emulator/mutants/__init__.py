"""Wrong implementations: the reference emulator with one named defect each.

Layer 2. Every check of the catalogue must notice at least one mutant, and every mutant must be noticed by at least
one check (`harness mutants`). A new mutant is a row in the table of its area; a new area is a module named here.
"""

from harness.emulator.mutants.agents import agents, environments, own_agents, uploads
from harness.emulator.mutants.lifecycle import (
    background,
    cancel,
    chain,
    content,
    create,
    delete,
    inputs,
    long_decode,
    storage,
)
from harness.emulator.mutants.resources import credentials, deliveries, resources, triggers, webhooks
from harness.emulator.mutants.rows import EmulatorMutant
from harness.emulator.mutants.service import auth, crashes, errors, http, robustness, shapes
from harness.emulator.mutants.streams import readers, resume, stream, stream_end, stream_steps
from harness.emulator.mutants.tool_use import tool_results, tool_search, tools
from harness.kit.mutant import collect

__all__ = ["MUTANTS"]

MUTANTS: dict[str, EmulatorMutant] = collect(
    http.MUTANTS,
    auth.MUTANTS,
    errors.MUTANTS,
    create.MUTANTS,
    inputs.MUTANTS,
    crashes.MUTANTS,
    content.MUTANTS,
    shapes.MUTANTS,
    storage.MUTANTS,
    delete.MUTANTS,
    stream.MUTANTS,
    stream_steps.MUTANTS,
    stream_end.MUTANTS,
    resume.MUTANTS,
    readers.MUTANTS,
    background.MUTANTS,
    long_decode.MUTANTS,
    cancel.MUTANTS,
    chain.MUTANTS,
    tools.MUTANTS,
    tool_results.MUTANTS,
    tool_search.MUTANTS,
    agents.MUTANTS,
    own_agents.MUTANTS,
    environments.MUTANTS,
    uploads.MUTANTS,
    webhooks.MUTANTS,
    resources.MUTANTS,
    deliveries.MUTANTS,
    credentials.MUTANTS,
    triggers.MUTANTS,
    robustness.MUTANTS,
)
"""Every mutant by its id, in the order of the areas."""
