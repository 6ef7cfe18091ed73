"""Where a search plays: fresh worlds on one target, cleaned up afterwards.

Layer 4. Knows how to obtain a driver; must not know what an operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

from harness.contract.requests import RequestBuilder
from harness.engine.cleanup import CreatedResources
from harness.engine.search.failure import Failure, key_of
from harness.engine.search.playing.operations_table import move
from harness.engine.search.rules import rule_of
from harness.engine.search.world import World
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.deadline import Deadline, Timer, TimeUp
from harness.engine.traffic.governed_driver import GovernedDriver
from harness.outcome import Finding, Level
from harness.strategies.operations import ClientCommand
from harness.wire import Driver

GRACE, MOST_CLEANING = 1.0, 60.0
"""Seconds allowed for cleaning up: the least, even if time is up already, and the most."""

_RANK = {Level.MAY: 0, Level.SHOULD: 1, Level.MUST: 2}


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """A target, its capabilities, those the user denied, and the lowest level of rules that is judged.

    On a throwaway target each world has its own service. Elsewhere all worlds share the driver `shared`, no
    request takes longer than `timer` allows, and what a world created is deleted when the world ends; `litter`
    holds the paths of what may be left.
    """

    resolved: ResolvedTarget
    able: frozenset[str]
    level: Level = Level.MAY
    denied: frozenset[str] = frozenset()
    shared: Driver | None = None
    timer: Timer = field(default_factory=lambda: Timer(None))
    litter: list[str] = field(default_factory=list)

    @property
    def requests(self) -> RequestBuilder:
        """What builds the requests to the target."""
        return cast("RequestBuilder", self.resolved.target)

    def within(self, timer: Timer) -> SearchTarget:
        """The same place for one engine, bounded by `timer`."""
        return replace(self, timer=timer, litter=[])

    @contextmanager
    def world(self, *, same_input: bool = False) -> Iterator[World]:
        """A new world for one history, cleaned up at the end."""
        world = self.open(same_input=same_input)
        try:
            yield world
        finally:
            self.finish(world)

    def open(self, *, same_input: bool = False) -> World:
        """A new world for one history; end it with `finish`."""
        driver = self.resolved.connect() if self.shared is None else self._with_deadline(self.shared, self.timer)
        own = self.resolved.throwaway
        return World(
            self.resolved.api, driver, self.requests, able=self.able, settled_by_us=own, same_input=same_input
        )

    def finish(self, world: World) -> None:
        """Hang up, and delete what was created on a shared target."""
        world.close()
        self.clean(world.ledger)
        world.driver.close()

    def clean(self, ledger: CreatedResources) -> None:
        """Delete what is left on a shared target; if time is up, only `GRACE` seconds are spent on it."""
        if self.shared is None or not ledger.owed:
            return
        owed = ledger.owed
        try:
            grace = Timer(max(GRACE, min(self.timer.left, MOST_CLEANING)))
            self.litter.extend(ledger.clean(self._with_deadline(self.shared, grace)))
        except TimeUp:
            self.litter.extend(owed)

    def _with_deadline(self, driver: Driver, timer: Timer) -> Driver:
        return GovernedDriver(driver, [Deadline(timer, self.resolved.target.wait)], owned=False)

    def notes(self) -> tuple[str, ...]:
        """Notes for the user on what was left behind."""
        if not self.litter:
            return ()
        return (f"{len(self.litter)} created and perhaps not deleted, such as {self.litter[0]}",)

    def judged(self, finding: Finding) -> bool:
        """Whether the finding's rule is of the requested level or a higher one."""
        return _RANK[rule_of(finding.rule).level] >= _RANK[self.level]


def play(place: SearchTarget, history: Sequence[ClientCommand], engine: str) -> list[Failure]:
    """Play a history once; return the first failure of each kind."""
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
"""Whether to ignore a finding: its rule is known to be broken, or its level was not requested."""
