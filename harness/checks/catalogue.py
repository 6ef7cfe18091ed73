"""Every check there is, in the order a reader meets them.

Layer 2. A new area module is added to `_AREAS`, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from harness.checks import (
    agents,
    auth,
    background,
    cancel,
    chain,
    continuation,
    create,
    create_options,
    cursors,
    delete,
    endings,
    environments,
    errors,
    http,
    own_agents,
    readers,
    resume,
    retrieve,
    robustness,
    search,
    stream,
    streaming,
    tool_results,
    tools,
    uploads,
    usage,
    webhooks,
)
from harness.checks.check import Check
from harness.outcome import UsageFault

_AREAS = (
    http,
    auth,
    errors,
    create,
    create_options,
    usage,
    retrieve,
    delete,
    stream,
    streaming,
    resume,
    cursors,
    readers,
    background,
    endings,
    cancel,
    chain,
    tools,
    tool_results,
    search,
    continuation,
    agents,
    own_agents,
    environments,
    uploads,
    webhooks,
    robustness,
)


def gather(areas: Iterable[Iterable[Check]]) -> tuple[Check, ...]:
    """The checks of all areas in one row; raises ValueError when two have one id, or two exercises one name."""
    found: dict[str, Check] = {}
    exercises: dict[str, object] = {}
    for check in (check for area in areas for check in area):
        if check.id in found:
            raise ValueError(f"two checks for the rule {check.id!r}: a rule has exactly one")
        if exercises.setdefault(check.exercise.name, check.exercise) is not check.exercise:
            raise ValueError(f"two exercises are called {check.exercise.name!r}: rename one")
        found[check.id] = check
    return tuple(found.values())


CATALOGUE: tuple[Check, ...] = gather(area.CHECKS for area in _AREAS)

_BY_ID = {check.id: check for check in CATALOGUE}


def by_id(check_id: str) -> Check:
    """The check of one id; raises `UsageFault`, naming what is near, when there is none."""
    if check_id not in _BY_ID:
        raise _unknown(check_id)
    return _BY_ID[check_id]


def select(patterns: Iterable[str]) -> tuple[Check, ...]:
    """The checks that match any pattern, in the catalogue's order; all of them when there is no pattern.

    A pattern is an id (`create.ok`), an area (`create`) or a glob (`err.*-json`). One that matches nothing raises
    `UsageFault`: a selection that silently runs nothing looks like a success.
    """
    wanted = tuple(patterns)
    for pattern in wanted:
        if not any(_matches(check, pattern) for check in CATALOGUE):
            raise _unknown(pattern)
    return tuple(c for c in CATALOGUE if not wanted or any(_matches(c, pattern) for pattern in wanted))


def _matches(check: Check, pattern: str) -> bool:
    return check.rule.area == pattern or fnmatchcase(check.id, pattern)


def _unknown(pattern: str) -> UsageFault:
    areas = sorted({check.rule.area for check in CATALOGUE})
    near = get_close_matches(pattern, [*_BY_ID, *areas], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"areas are {', '.join(areas)}"
    return UsageFault(f"no check matches {pattern!r}: {hint}")
