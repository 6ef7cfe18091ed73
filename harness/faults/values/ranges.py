"""The range of a number in a fault plan. Layer 1."""

from __future__ import annotations

MOST = 10**12
"""Numbers in a plan must be below this; a larger one is a typing error."""


def require_range(name: str, value: int, *, least: int = 0, most: int = MOST) -> None:
    """Raise ValueError for a number outside its range."""
    if not least <= value < most:
        raise ValueError(f"{name} is {value}: it must be from {least} to {most - 1}")
