"""The judge of what only all the exchanges of a run can show, for whoever follows one.

Layer 1, pure and incremental. Each of its parts takes the exchanges in the order in which they ended, and may
prove an earlier one wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.contract.judge.history.denials import Denials
from harness.contract.judge.history.mixtures import Crossings, EventIds, Mixtures
from harness.outcome import Finding
from harness.wire import Exchange


class RunJudge:
    """Judges what was denied and granted elsewhere, and streams and answers that were mixed."""

    def __init__(self) -> None:
        self._judges = (Denials(), Mixtures(), Crossings(), EventIds())

    def note(self, exchange: Exchange) -> Iterator[tuple[Exchange, Finding]]:
        """Judge the next exchange, and those before it that it shows to be wrong."""
        for judge in self._judges:
            yield from judge.note(exchange)
