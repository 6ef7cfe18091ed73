"""The rules for the command line: their ids, the facts about each, and the sentences that they judge.

Layer 8. Has every rule that a command can judge by its exercises: those of servers and those of gateways.
"""

from __future__ import annotations

from typing import Any

from harness.interactions.servers import SERVERS
from harness.kit.check import Check, Exercise
from harness.kit.extension import load_named_extensions
from harness.outcome import HarnessFault
from harness.rules import AREAS, ROWS


def load_every_check() -> tuple[Check, ...]:
    """The checks of `harness check`, then the rules of `harness gateway`."""
    from harness.checks.gateway import CHECKS

    return (*SERVERS.load_catalogue(), *CHECKS)


def list_every_check() -> tuple[Check, ...]:
    """The same checks to choose from and to name, not to run: their rows are read, and no check is imported."""
    if load_named_extensions():
        return load_every_check()
    return tuple(
        Check(
            rule=row.rule,
            title=row.title,
            profile=row.profile or row.area,
            exercise=_UNBOUND,
            judge=_refuse_to_run,
            requires=frozenset(row.requires),
            accepts=row.accepts,
        )
        for row in ROWS.values()
        if row.judge and row.area in (*AREAS, "gateway")
    )


def _refuse_to_run(*_: Any, **__: Any) -> Any:
    raise HarnessFault("a listed check cannot run: take it from `load_every_check`")


_UNBOUND = Exercise(_refuse_to_run, 0, 0)
