"""Why a target does not have a capability. Layer 1, a value that probes say and plans read."""

from __future__ import annotations

from enum import StrEnum


class Lack(StrEnum):
    """A reason; the first ones take precedence over the later ones."""

    DENIED = "denied"
    """The user said so."""

    REFUSED = "refused"
    """The target refuses it (4xx, 501), or plainly has nothing of the kind: not offered, which is its right."""

    NOT_DONE = "accepted_not_done"
    """The target accepted what asks for it (2xx), and did something else."""

    UNASKED = "unasked"
    """There was no time to ask."""

    UNDECLARED = "undeclared"
    """Nothing was asked: it cannot be found out that way."""

    UNSEEN = "unseen"
    """It was asked for, and neither refused nor seen."""
