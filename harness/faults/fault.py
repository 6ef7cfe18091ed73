"""A fault: a value that a plan spells, and that changes the pieces of a body; and the word that spells it.

Each fault is one class with its words, its limits and its stage, in the module of what it changes: `cut_faults`,
`event_faults`, `byte_faults` or `answer_faults`. `FAULTS` of `grammar` has the class of each word; `transducer`
puts the stages of a connection in a row. A `Word` is one `name` or `name:value` of a plan: a fault reads its
values from it, and it raises the errors that name a column.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, NamedTuple, NoReturn, Self, TypeVar
from urllib.parse import quote, unquote

from msgspec import Struct

from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean
from harness.wire import Framing, Piece, StreamProtocol

MOST = 10**12
"""Numbers in a plan must be below this; a larger one is a typing error."""

_Made = TypeVar("_Made")

_NUMBER = re.compile(r"[0-9]{1,12}")
_SECONDS = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,3}))?")
_FREE = re.compile(r"(?:[A-Za-z0-9_.~!*'()-]|%[0-9A-Fa-f]{2})*")
_SHOWN = 300
"""Characters of a plan that an error shows before the mistake, and after it."""
_EXAMPLES = {
    "status": "429", "replay": "5+3", "ids": "none", "headers": "20", "event": "5+60", "random": "42",
    "times": "3", "retry-after": "2", "retry-after-ms": "250",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a `plan`, the 0-based column of its first character, and the words of its connection after it."""

    text: str
    column: int
    plan: str
    more: deque[Word] = field(default_factory=deque, compare=False)

    @property
    def name(self) -> str:
        """The part before the colon."""
        return self.text.partition(":")[0].rstrip()

    @property
    def value(self) -> str | None:
        """The part after the colon; None without one."""
        _, colon, value = self.text.partition(":")
        return value.strip() if colon else None

    def require_bare(self) -> None:
        """Raise UsageFault if it has a value."""
        if self.value is not None:
            self.fail(f"{self.name} takes no value: write {self.name} alone")

    def number(self, text: str | None = None) -> int:
        """The number that is its value, or `text`, a part of it."""
        digits = ((self.value or "") if text is None else text).strip()
        if _NUMBER.fullmatch(digits) is None:
            what = f"{digits!r} is not a whole number of at most 12 digits" if digits else "a number is missing"
            self.fail(f"{what}: write for example {self.name}:{_EXAMPLES.get(self.name, '5')}")
        return int(digits)

    def number_or(self, special: str) -> int | None:
        """A number, or None for `special`, the one word that is allowed in its place."""
        return None if self.value == special else self.number()

    def split(self) -> tuple[int, str]:
        """The number in `name:K+rest`, and the rest."""
        after, _, rest = (self.value or "").partition("+")
        return self.number(after), rest.strip()

    def flagged(self, flag: str, effect: str) -> tuple[int, bool]:
        """The number in `name:K` or `name:K+flag`, and whether the flag is there."""
        after, plus, extra = (self.value or "").partition("+")
        if plus and extra.strip() != flag:
            hint = f"{self.name}:{after.strip()}+{flag} {effect}"
            self.fail(f"+{extra.strip()} means nothing here: {hint}")
        return self.number(after), bool(plus)

    def millis(self, text: str | None, example: str) -> int:
        """The milliseconds of a number of seconds."""
        match = _SECONDS.fullmatch(text or "")
        if match is None:
            self.fail(f"{text!r} is not a number of seconds: write for example {example}")
        return int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0"))

    def free_text(self, text: str) -> str:
        """A text of the user's own, which is percent-encoded in a plan."""
        if _FREE.fullmatch(text) is None:
            self.fail("a text in a plan is percent-encoded, as in a URL: write for example Bad%20gateway")
        try:
            return unquote(text, errors="surrogatepass")
        except UnicodeDecodeError:
            self.fail("the percent-encoded bytes of this text are not UTF-8")

    def reject(self, what: str, given: str, known: Iterable[str]) -> NoReturn:
        """Raise UsageFault for what is not known, with the nearest of what is."""
        listed = [*map(str, known)]
        self.fail(f"{given!r} {what}{did_you_mean(given, listed, otherwise=': known are ' + ', '.join(listed))}")

    def build(self, make: Callable[[], _Made]) -> _Made:
        """Return `make()`; a ValueError that it raises, such as for a number out of range, is a mistake here."""
        try:
            return make()
        except ValueError as error:
            self.fail(str(error))

    def fail(self, problem: str) -> NoReturn:
        """Raise UsageFault with the column (from 1) and the plan around it."""
        start = max(0, self.column - _SHOWN) if len(self.plan) > 2 * _SHOWN else 0
        shown = self.plan[start : start + 2 * _SHOWN].replace("\n", " ").replace("\t", " ")
        raise UsageFault(
            f"fault plan, column {self.column + 1}: {problem}\n  {shown}\n  {' ' * (self.column - start)}^"
        )


def spell_text(text: str) -> str:
    """A text of one's own in the grammar."""
    return quote(text, safe="", errors="surrogatepass")


def spell_seconds(millis: int) -> str:
    """Milliseconds in the grammar, as seconds."""
    whole, rest = divmod(millis, 1000)
    return str(whole) + (f".{rest:03d}".rstrip("0") if rest else "")


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
