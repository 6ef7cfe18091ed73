"""The queue of scripted answers: each create takes the first that matches it.

Layer 2. Knows which creates an answer is for, and how often it was given; must not know how it is played.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from harness.emulator.script.scripts import EMPTY, Script
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.weight import weigh_json
from harness.errors import ScriptFault
from harness.outcome.words import shorten

ScriptMaker: TypeAlias = Callable[[CreateRequest], Script]
"""Makes the script for a create when it comes."""

_SHOWN = 60
"""Characters of an answer's text in a description."""


@dataclass(slots=True, eq=False)
class QueuedAnswer:
    """A script in the queue. `make` makes the one to play; `script` then only says how often and for whom."""

    script: Script
    make: ScriptMaker | None = None
    taken: bool = False
    left: int = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.script.times
        self.size = weigh_json(msgspec.json.encode(self.script))

    def fits(self, order: CreateRequest) -> bool:
        """Whether it is for this create."""
        return self.script.match is None or self.script.match.fits(order)

    def describe(self) -> str:
        """Its text, shortened, or what else it is."""
        script = self.script
        if script.refuse is not None:
            return f"a refusal with {script.refuse.status}"
        return "an answer" if script.text is None else f"the answer {shorten(repr(script.text), _SHOWN)}"

    def take(self, order: CreateRequest) -> Script:
        """The script to play for a create."""
        self.taken = True
        self.left = max(0, self.left - 1)  # zero means without limit
        return self.script if self.make is None else self.make(order)


class ScriptQueue:
    """A queue of answers. Each create takes the first that matches it; a script serves `times` creates."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._waiting: list[QueuedAnswer] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def refusals(self) -> int:
        """How many of the answers in the queue are refusals."""
        return sum(answer.script.refuse is not None for answer in self._waiting)

    @property
    def unmet(self) -> list[str]:
        """The answers in the queue that no create has taken, in a few words each."""
        return [answer.describe() for answer in self._waiting if not answer.taken]

    def add(self, *answers: Script | QueuedAnswer, first: bool = False) -> None:
        """Queue all answers, on request before those that wait.

        If there is no room for all of them, queue none and raise ScriptFault.
        """
        room = self._most - len(self._waiting)
        if len(answers) > room:
            raise ScriptFault(
                f"{len(answers)} more scripts do not fit in the queue, where {len(self._waiting)} of at most "
                f"{self._most} wait already (setting max_queued): reset, or raise the bound"
            )
        queued = [QueuedAnswer(answer) if isinstance(answer, Script) else answer for answer in answers]
        more = sum(answer.size for answer in queued)
        if self._bytes + more > self._most_bytes:
            raise ScriptFault(
                f"{len(answers)} more scripts of about {more} bytes do not fit in the queue, which takes "
                f"{self._bytes} of at most {self._most_bytes} (max_queued_bytes): reset, or raise the bound"
            )
        place = 0 if first else len(self._waiting)
        self._waiting[place:place] = queued
        self._bytes += more

    def remove(self, *, refusals: bool) -> None:
        """Take out the refusals, or all other answers."""
        self._waiting = [answer for answer in self._waiting if (answer.script.refuse is not None) is not refusals]
        self._bytes = sum(answer.size for answer in self._waiting)

    def clear(self) -> None:
        """Remove all answers."""
        self._waiting.clear()
        self._bytes = 0

    def take(self, order: CreateRequest) -> Script:
        """Take the script for a create; `EMPTY` if none matches."""
        for index, answer in enumerate(self._waiting):
            if answer.fits(order):
                if answer.left == 1:
                    del self._waiting[index]
                    self._bytes -= answer.size
                return answer.take(order)
        return EMPTY
