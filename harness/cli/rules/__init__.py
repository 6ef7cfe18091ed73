"""The rules for the command line: their ids, the facts about each, and the sentences that they judge.

Has every rule that a command can judge by its exercises: those of servers and those of gateways.
"""

from __future__ import annotations

from harness.interactions.servers import SERVERS
from harness.kit.check import Check


def load_every_check() -> tuple[Check, ...]:
    """The checks of `harness check`, then the rules of `harness gateway`."""
    from harness.checks.gateway import CHECKS

    return (*SERVERS.load_catalogue(), *CHECKS)
