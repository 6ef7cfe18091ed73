"""What the samples of one create may cost: a small schema may ask for gigabytes, and all clients would wait.

Layer 2. Counts values, work and characters; must not know schemas. Nothing here measures time, so the same request
gets the same answer on every machine.
"""

from __future__ import annotations

from typing import Any

from harness.errors import SampleTooLarge

MOST_STEPS = 100_000
"""Work: values made, keywords merged, references followed."""

MOST_CHARACTERS = 1024 * 1024
"""Characters of texts and names; every value costs some more."""

DEEPEST = 100
"""Levels of a constant in a schema: JSON that could be read is not always shallow enough to be written."""

_PER_VALUE = 4
_PER_STEP = 64
"""Characters that are read or written for the price of one step."""


class SampleBudget:
    """What may still be spent."""

    __slots__ = ("size", "steps")

    def __init__(self, steps: int = MOST_STEPS, size: int = MOST_CHARACTERS) -> None:
        self.steps = steps
        self.size = size

    def work(self, steps: int) -> None:
        """Pay for work. Raises SampleTooLarge."""
        self.steps -= steps
        if self.steps < 0:
            raise SampleTooLarge

    def scan(self, text: str) -> None:
        """Pay for reading a text that does not become part of the sample. Raises SampleTooLarge."""
        self.work(len(text) // _PER_STEP)

    def expect(self, values: int) -> None:
        """Raise SampleTooLarge if so many values can never be paid: before the first of them is made."""
        if values > self.steps or values * _PER_VALUE > self.size:
            raise SampleTooLarge

    def write(self, characters: int) -> None:
        """Pay for one value with this many characters, before it is made. Raises SampleTooLarge."""
        self.work(1 + characters // _PER_STEP)
        self.size -= characters + _PER_VALUE
        if self.size < 0:
            raise SampleTooLarge

    def copy_of(self, value: Any) -> Any:
        """Pay for a value that the schema itself contains, and return it. Raises SampleTooLarge."""
        waiting = [(value, DEEPEST)]
        while waiting:
            part, levels = waiting.pop()
            if levels < 0:
                raise SampleTooLarge
            self.write(len(part) if isinstance(part, str) else 0)
            if isinstance(part, list):
                self.work(len(part))
                waiting += [(item, levels - 1) for item in part]
            elif isinstance(part, dict):
                self.work(len(part))
                self.write(sum(map(len, part)))
                waiting += [(item, levels - 1) for item in part.values()]
        return value

    def for_trial(self) -> SampleBudget:
        """A budget for a value that may be thrown away: half of the work, and all characters."""
        return SampleBudget(self.steps // 2, self.size)

    def settle(self, trial: SampleBudget, *, kept: bool) -> None:
        """Pay for a trial: its work in any case, its characters if its value was kept."""
        self.steps -= self.steps // 2 - max(trial.steps, 0)
        if kept:
            self.size = trial.size
