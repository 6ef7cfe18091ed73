"""All checks, in the order in which they are shown.

Layer 2. To register a new area module, add it to `_AREAS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.checks.areas.agents import (
    agents,
    environment_files,
    environments,
    research,
    sandboxes,
    saved_agents,
    uploads,
)
from harness.checks.areas.lifecycle import (
    answer_options,
    background,
    cancel,
    chain,
    chain_history,
    create,
    create_options,
    delete,
    final_statuses,
    late_cancels,
    long_decode,
    retrieve,
    usage,
)
from harness.checks.areas.resources import (
    credentials,
    decisions,
    deliveries,
    file_search,
    files,
    triggers,
    voices,
    webhooks,
)
from harness.checks.areas.service import auth, errors, http, robustness
from harness.checks.areas.streams import (
    concurrent_readers,
    continuation,
    cursors,
    resume,
    stored_streams,
    stream,
    stream_timing,
)
from harness.checks.areas.tool_use import search, tool_choice, tool_results, tool_search, tools
from harness.checks.capabilities import PROOFS, RESTS_ON
from harness.kit.check import Check

_AREAS = (
    http,
    auth,
    errors,
    create,
    create_options,
    answer_options,
    usage,
    retrieve,
    delete,
    stream,
    stored_streams,
    stream_timing,
    resume,
    cursors,
    background,
    concurrent_readers,
    final_statuses,
    long_decode,
    cancel,
    late_cancels,
    chain,
    chain_history,
    tools,
    tool_choice,
    tool_results,
    tool_search,
    search,
    continuation,
    agents,
    research,
    saved_agents,
    environments,
    environment_files,
    uploads,
    sandboxes,
    webhooks,
    files,
    file_search,
    voices,
    decisions,
    deliveries,
    credentials,
    triggers,
    robustness,
)


def gather(areas: Iterable[Iterable[Check]]) -> tuple[Check, ...]:
    """Collect the checks of all areas; raises ValueError if two share an id, or two exercises a name."""
    found: dict[str, Check] = {}
    exercises: dict[str, object] = {}
    for check in (check for area in areas for check in area):
        if check.id in found:
            raise ValueError(f"two checks for the rule {check.id!r}: a rule has exactly one")
        if exercises.setdefault(check.exercise.name, check.exercise) is not check.exercise:
            raise ValueError(f"two exercises are called {check.exercise.name!r}: rename one")
        found[check.id] = replace(
            check,
            proves=_PROVES.get(check.id, ""),
            rests_on=RESTS_ON.get(check.id, ()),
            blocks=frozenset(code for code in _BLOCKING if code.startswith(f"{check.id}/")),
        )
    return tuple(found.values())


_BLOCKING = {name for names in RESTS_ON.values() for name in names if "/" in name}
_PROVES = {rule: capability for capability, rule in PROOFS.items()}


CATALOGUE: tuple[Check, ...] = gather(area.CHECKS for area in _AREAS)
