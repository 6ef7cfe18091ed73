"""Every rule that a command can judge by its exercises: the catalogue of servers and that of gateways.

Layer 7.
"""

from __future__ import annotations

from harness.interactions import INTERACTIONS
from harness.kit.check import Check


def load_every_check() -> tuple[Check, ...]:
    """The checks of `harness check`, then the rules of `harness gateway`."""
    from harness.checks.gateway import CHECKS

    return (*INTERACTIONS.load_catalogue(), *CHECKS)
