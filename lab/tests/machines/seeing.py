"""Which mutants a machine takes in the pipeline, and which only thorough runs take."""

from __future__ import annotations

from collections.abc import Collection

import pytest


def sample(names: Collection[str], every: int) -> list[object]:
    """All names; all but each `every`-th one are for thorough runs."""
    return [
        name if number % every == 0 else pytest.param(name, marks=pytest.mark.thorough)
        for number, name in enumerate(names)
    ]
