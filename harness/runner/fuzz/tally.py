"""What a search played, over all its histories, and the bugs it met.

Layer 4. Shared by the engines that Hypothesis drives. Hypothesis is told of a bug by an exception; which history
it ends with depends on the target's mood, so the shortest of each rule is kept here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from harness.runner.fuzz.answers import BUSY
from harness.runner.fuzz.budget import TimeUp
from harness.runner.fuzz.failure import Broken, broken, key_of
from harness.runner.fuzz.moves import move
from harness.runner.fuzz.place import Muted
from harness.runner.fuzz.shrink import size
from harness.runner.fuzz.world import World
from harness.strategies.operations import Operation


class Tally:
    """Counts and bugs; `over` tells when time is up, be it amidst the shrinking of a bug."""

    def __init__(self, over: Callable[[], bool]) -> None:
        self.histories = 0
        self.requests = 0
        self.accepted = 0
        self.busy = 0
        self.played: Counter[str] = Counter()
        self.bugs: dict[str, Broken] = {}
        self._over = over

    def caught(self, bug: Broken) -> None:
        """Keep the smallest history of each kind; which one Hypothesis ends with depends on the target's mood."""
        kept = self.bugs.get(key_of(bug.finding))
        if kept is None or size(bug.history) < size(kept.history):
            self.bugs[key_of(bug.finding)] = bug

    def step(self, world: World, operation: Operation, muted: Muted) -> None:
        """Play one operation; raises `Broken` for the first finding that is not passed over, or `TimeUp`."""
        if self._over():
            raise TimeUp
        before = len(world.played)
        found = move(world, operation)
        if len(world.played) > before:
            self.played[f"{operation.kind} {operation.mode}".strip()] += 1
        for finding in found:
            if not muted(finding):
                bug = broken(finding, tuple(world.played), tuple(world.trail))
                self.caught(bug)
                raise bug

    def ended(self, world: World) -> None:
        """A history is over."""
        self.histories += 1
        self.requests += len(world.trail)
        self.accepted += world.accepted
        self.busy += sum(exchange.status in BUSY for exchange in world.trail)
