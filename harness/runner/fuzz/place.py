"""Where a search plays: fresh worlds on one target, cleaned up behind.

Layer 4. Knows how to come by a driver; must not know what an operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from harness.outcome import Finding, Level
from harness.runner.fuzz.budget import Timer, TimeUp
from harness.runner.fuzz.failure import Failure, key_of
from harness.runner.fuzz.moves import move
from harness.runner.fuzz.patience import PatientDriver
from harness.runner.fuzz.rules import rule_of
from harness.runner.fuzz.world import World
from harness.runner.ledger import Ledger
from harness.runner.targets import ResolvedTarget
from harness.strategies.operations import Operation
from harness.wire import Driver

GRACE, MOST_CLEANING = 1.0, 60.0
"""Seconds that cleaning up has when time is up already, and when there is plenty."""

_RANK = {Level.MAY: 0, Level.SHOULD: 1, Level.MUST: 2}


@dataclass(frozen=True, slots=True)
class Place:
    """A target, what it is able to do, what the user denied, and the weakest level that is judged.

    On a throwaway target each world has a service of its own; elsewhere all share `shared`, no request takes
    longer than `timer` allows, and what a world created is deleted when it ends. `litter` are the paths of what
    stayed.
    """

    resolved: ResolvedTarget
    able: frozenset[str]
    level: Level = Level.MAY
    denied: frozenset[str] = frozenset()
    shared: Driver | None = None
    timer: Timer = field(default_factory=lambda: Timer(None))
    litter: list[str] = field(default_factory=list)

    def within(self, timer: Timer) -> Place:
        """The same place for one engine, which has until `timer` ends."""
        return replace(self, timer=timer, litter=[])

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
        driver = self.resolved.connect() if self.shared is None else self._patient(self.shared, self.timer)
        own = self.resolved.throwaway
        return World(driver, self.resolved.target, able=self.able, settled_by_us=own, same_input=same_input)

    def done(self, world: World) -> None:
        """Hang up, and clean up where somebody else has to live."""
        world.close()
        self.clean(world.ledger)
        world.driver.close()

    def clean(self, ledger: Ledger) -> None:
        """Delete what is owed where others live, even when time is up, but then not for long."""
        if self.shared is None or not ledger.owed:
            return
        owed = ledger.owed
        try:
            grace = Timer(max(GRACE, min(self.timer.left, MOST_CLEANING)))
            self.litter.extend(ledger.clean(self._patient(self.shared, grace)))
        except TimeUp:
            self.litter.extend(owed)

    def _patient(self, driver: Driver, timer: Timer) -> Driver:
        return PatientDriver(driver, timer, self.resolved.target.wait)

    def notes(self) -> tuple[str, ...]:
        """What the user has to know of what was left behind."""
        if not self.litter:
            return ()
        return (f"{len(self.litter)} created and perhaps not deleted, such as {self.litter[0]}",)

    def judged(self, finding: Finding) -> bool:
        """Whether the finding's rule is of a level that was asked for."""
        return _RANK[rule_of(finding.rule).level] >= _RANK[self.level]


def play(place: Place, history: Sequence[Operation], engine: str) -> list[Failure]:
    """Play a history once; the first failure of each kind it shows."""
    found: dict[str, Failure] = {}
    with place.world() as world:
        for operation in history:
            for finding in move(world, operation):
                if place.judged(finding) and key_of(finding) not in found:
                    found[key_of(finding)] = Failure(
                        engine=engine, finding=finding, history=tuple(world.played), trail=tuple(world.trail)
                    )
    return list(found.values())


Muted = Callable[[Finding], bool]
"""Whether a finding is to be passed over: its rule is known to be broken, or not asked for."""
