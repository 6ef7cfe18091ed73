"""A scenario to record: a short exercise that is the same on every target. Layer 1, a value."""

from __future__ import annotations

from typing import NamedTuple

from harness.kit.check import Exercise


class Scenario(NamedTuple):
    """A cassette of a library: what it shows, and how it is made."""

    name: str
    shows: str
    exercise: Exercise
