"""Counts what a search played over all its histories, and keeps the bugs it found.

Layer 4. Shared by the engines that Hypothesis drives. Hypothesis learns of a bug by an exception. Which history it
reports in the end varies with a target that is not deterministic, so the smallest for each rule is kept here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from harness.contract.judge.answer import BUSY
from harness.engine.search.failure import Broken, key_of, to_exception
from harness.engine.search.playing.operations_table import move
from harness.engine.search.search_target import Muted
from harness.engine.search.shrink import size
from harness.engine.search.world import World
from harness.engine.traffic.deadline import TimeUp
from harness.strategies.operations import ClientCommand


class Tally:
    """Counts and bugs; `over` tells whether time is up, also while a bug is being shrunk."""

    def __init__(self, over: Callable[[], bool]) -> None:
        self.histories = 0
        self.requests = 0
        self.accepted = 0
        self.busy = 0
        self.played: Counter[str] = Counter()
        self.bugs: dict[str, Broken] = {}
        self._over = over

    def keep_smallest(self, bug: Broken) -> None:
        """Keep a bug if its history is the smallest of its kind so far."""
        kept = self.bugs.get(key_of(bug.finding))
        if kept is None or size(bug.history) < size(kept.history):
            self.bugs[key_of(bug.finding)] = bug

    def step(self, world: World, operation: ClientCommand, muted: Muted) -> None:
        """Play one operation; raises `Broken` for the first finding that is not muted, or `TimeUp`."""
        if self._over():
            raise TimeUp
        before = len(world.played)
        found = move(world, operation)
        if len(world.played) > before:
            self.played[f"{operation.kind} {operation.mode}".strip()] += 1
        for finding in found:
            if not muted(finding):
                bug = to_exception(finding, tuple(world.played), tuple(world.trail))
                self.keep_smallest(bug)
                raise bug

    def add_history(self, world: World) -> None:
        """Add the counts of a finished history."""
        self.histories += 1
        self.requests += len(world.trail)
        self.accepted += world.accepted
        self.busy += sum(exchange.status in BUSY for exchange in world.trail)
