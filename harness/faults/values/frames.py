"""Faults of single frames as values: one whose data is cut short, ones that are missing, legal additions inside.

Layer 1. `frame_faults` applies them. `str` of every value is its spelling in the grammar.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.faults.values.ranges import require_range


class Part(StrEnum):
    """What a stream may lack: a frame, or the line ends of its last one."""

    COMPLETION = "no-completion"
    SENTINEL = "no-done"
    NEWLINE = "no-newline"


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
    """The stream lacks a part, and is otherwise whole."""

    part: Part

    def __str__(self) -> str:
        return str(self.part)


@dataclass(frozen=True, slots=True)
class Glue:
    """Each frame is written otherwise: a comment and a `retry` field in it, data first, no space after colons."""

    def __str__(self) -> str:
        return "glue"


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment line inside the frame of the event after `after` events (None: of each event), before its data."""

    after: int | None

    def __post_init__(self) -> None:
        require_range("comment", self.after or 0)

    def __str__(self) -> str:
        return f"comment:{'all' if self.after is None else self.after}"


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
