"""A fault: a value that a plan spells, and that changes the pieces of a body.

Each fault is one class with its words, its limits and its stage, in the module of what it changes: `cut_faults`,
`event_faults`, `byte_faults` or `answer_faults`. `FAULTS` of `grammar` has the class of each word; `transducer`
puts the stages of a connection in a row.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from msgspec import Struct

from harness.wire import Framing, Piece, StreamProtocol

if TYPE_CHECKING:
    from harness.faults.word import Word

MOST = 10**12
"""Numbers in a plan must be below this; a larger one is a typing error."""


def require_range(name: str, value: int, *, least: int = 0, most: int = MOST) -> None:
    """Raise ValueError for a number outside its range."""
    if not least <= value < most:
        raise ValueError(f"{name} is {value}: it must be from {least} to {most - 1}")


class Stage:
    """One fault being applied to one body. `fired`: it has had an effect."""

    fired = False

    def begin(self) -> list[Piece]:
        """Pieces to send before the first piece; an `Ending` among them ends the body."""
        return []

    def feed(self, piece: Piece) -> list[Piece]:
        """Pieces to send in place of one piece; an `Ending` is always the last."""
        raise NotImplementedError


class BodyKind(NamedTuple):
    """A body as a stage must know it: the API, the framing on the wire, and whether it is an event stream."""

    protocol: StreamProtocol
    framing: Framing
    streams: bool = True


class Fault(Struct, frozen=True):
    """One fault of a connection; `str` is its spelling in a plan. It raises ValueError for values out of range."""

    ends_as: ClassVar[str] = ""
    """What it is called if nothing can follow it in its connection."""

    @classmethod
    def read(cls, word: Word) -> Self:
        """The fault that a word of a plan spells. Raises UsageFault with its column, or ValueError."""
        raise NotImplementedError

    def stage(self, body: BodyKind) -> Stage | None:
        """The stage that applies it to a body; None for a fault of the head or the request."""
        return None


class NamedFault(Fault, frozen=True):
    """A fault of several kinds, each of which has a word of its own, without a value."""

    kinds: ClassVar[type[StrEnum]]
    kind: StrEnum

    @classmethod
    def read(cls, word: Word) -> Self:
        word.require_bare()
        return cls(cls.kinds(word.name))

    def __str__(self) -> str:
        return str(self.kind)


class BareFault(Fault, frozen=True):
    """A fault without a value, which is spelled as its class is named."""

    @classmethod
    def read(cls, word: Word) -> Self:
        word.require_bare()
        return cls()

    def __str__(self) -> str:
        return type(self).__name__.lower()


class AfterFault(Fault, frozen=True):
    """A fault after `after` complete events, those included that faults further to the left added.

    None: at each, if it can be `everywhere`. It is spelled as its class is named.
    """

    everywhere: ClassVar[bool] = True
    after: int | None

    def __post_init__(self) -> None:
        require_range(type(self).__name__.lower(), self.after or 0)

    @classmethod
    def read(cls, word: Word) -> Self:
        return cls(word.number_or("all") if cls.everywhere else word.number())

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}:{'all' if self.after is None else self.after}"
