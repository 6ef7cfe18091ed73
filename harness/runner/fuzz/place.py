"""Where a search plays: fresh worlds on one target, cleaned up behind.

Layer 4. Knows how to come by a driver; must not know what is played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.outcome import Finding, Level
from harness.runner.fuzz.failure import Failure, key_of
from harness.runner.fuzz.rules import rule_of
from harness.runner.fuzz.world import World
from harness.runner.targets import ResolvedTarget
from harness.strategies.operations import Operation
from harness.wire import Driver

_RANK = {Level.MAY: 0, Level.SHOULD: 1, Level.MUST: 2}


@dataclass(frozen=True, slots=True)
class Place:
    """A target, what it is able to do, and the weakest level that is judged.

    On a throwaway target each world has a service of its own; elsewhere all share `driver`, and what a world
    created is deleted when it ends.
    """

    resolved: ResolvedTarget
    able: frozenset[str]
    level: Level = Level.MAY
    shared: Driver | None = None

    @contextmanager
    def world(self, *, same_input: bool = False) -> Iterator[World]:
        """One fresh history."""
        world = self.open(same_input=same_input)
        try:
            yield world
        finally:
            self.done(world)

    def open(self, *, same_input: bool = False) -> World:
        """One fresh history; `done` ends it."""
        driver = self.shared or self.resolved.connect()
        own = self.resolved.throwaway
        return World(driver, self.resolved.target, able=self.able, settled_by_us=own, same_input=same_input)

    def done(self, world: World) -> None:
        """Hang up, and clean up where somebody else has to live."""
        world.close()
        if not self.resolved.throwaway:
            world.ledger.clean(world.driver)
        if world.driver is not self.shared:
            world.driver.close()

    def judged(self, finding: Finding) -> bool:
        """Whether the finding's rule is of a level that was asked for."""
        return _RANK[rule_of(finding.rule).level] >= _RANK[self.level]


def play(place: Place, history: Sequence[Operation], engine: str) -> list[Failure]:
    """Play a history once; the first failure of each kind it shows."""
    found: dict[str, Failure] = {}
    with place.world() as world:
        for operation in history:
            for finding in world.play(operation):
                if place.judged(finding) and key_of(finding) not in found:
                    found[key_of(finding)] = Failure(
                        engine=engine, finding=finding, history=tuple(world.played), trail=tuple(world.trail)
                    )
    return list(found.values())


Muted = Callable[[Finding], bool]
"""Whether a finding is to be passed over: its rule is known to be broken, or not asked for."""
