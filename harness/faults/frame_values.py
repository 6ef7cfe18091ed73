"""Faults of single frames as values: one whose data is cut short, ones that are missing, legal additions inside.

Layer 1. `frame_faults` applies them. `str` of every value is its spelling in the grammar.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.faults.ranges import require_range


class Part(StrEnum):
    """The frames that a stream may lack."""

    COMPLETION = "no-completion"
    SENTINEL = "no-done"


@dataclass(frozen=True, slots=True)
class Garble:
    """The event after `after` events arrives as a whole frame whose JSON breaks off in the middle."""

    after: int

    def __post_init__(self) -> None:
        require_range("garble", self.after)

    def __str__(self) -> str:
        return f"garble:{self.after}"


@dataclass(frozen=True, slots=True)
class Omit:
    """The stream lacks a frame, and is otherwise whole."""

    part: Part

    def __str__(self) -> str:
        return str(self.part)


@dataclass(frozen=True, slots=True)
class Glue:
    """Each frame is written otherwise: a comment and a `retry` field in it, data first, no space after colons."""

    def __str__(self) -> str:
        return "glue"


@dataclass(frozen=True, slots=True)
class Trickle:
    """The body comes in pieces of `size` bytes, with a moment between them: readers get them one by one."""

    size: int

    def __post_init__(self) -> None:
        require_range("trickle", self.size, least=1)

    def __str__(self) -> str:
        return f"trickle:{self.size}"


@dataclass(frozen=True, slots=True)
class Members:
    """Each event has a member that no reader knows."""

    def __str__(self) -> str:
        return "members"
