"""Where a search plays: fresh worlds on one target, cleaned up afterwards.

Layer 4. Knows how to obtain a driver; must not know what an operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from harness.engine.cleanup import CreatedResources
from harness.engine.search.defect import SeenDefect
from harness.engine.search.failure import Bug, Failure
from harness.engine.search.rules import RANK, rule_of
from harness.engine.search.world import World
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.deadline import Deadline, Timer, TimeUp
from harness.engine.traffic.governed_driver import DriverPolicy, GovernedDriver
from harness.engine.traffic.lag import Lag
from harness.engine.traffic.patience import Patience
from harness.kit.api import ApiRequests
from harness.kit.search import SearchModel, Step
from harness.outcome import Level
from harness.wire import Driver
from harness.wire.addresses import is_loopback

GRACE, MOST_CLEANING = 1.0, 60.0
"""Seconds allowed for cleaning up: the least, even if time is up already, and the most."""


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """A target, its capabilities, those the user denied, and the lowest level of rules that is judged.

    On a throwaway target each world has its own service. Elsewhere all worlds share the driver `shared`, no
    request takes longer than `timer` and `patience` allow, and what a world created is deleted when the world
    ends; `litter` holds the paths of what may be left. Defects with a code in `excluded` are not looked for.
    `progress` hears counts and findings as they come.
    """

    resolved: ResolvedTarget
    able: frozenset[str]
    level: Level = Level.MAY
    denied: frozenset[str] = frozenset()
    shared: Driver | None = None
    patience: Patience | None = None
    excluded: frozenset[str] = frozenset()
    progress: Callable[[Mapping[str, int], int], None] = lambda counts, findings: None
    timer: Timer = field(default_factory=lambda: Timer(None))
    lag: Lag = field(default_factory=Lag)
    litter: list[str] = field(default_factory=list)

    @property
    def requests(self) -> ApiRequests:
        """What builds the requests to the target."""
        return self.resolved.target

    @property
    def model(self) -> SearchModel:
        """What a search knows of the API."""
        return self.resolved.api.load_search()

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
        driver = self.resolved.connect() if self.shared is None else self._limit(self.shared, self.timer)
        own = self.resolved.throwaway
        return World(
            self.resolved.api,
            driver,
            self.requests,
            able=self.able,
            settled_by_us=own,
            same_input=same_input,
            lag=self.lag,
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
            self.litter.extend(ledger.clean(self._limit(self.shared, grace)))
        except TimeUp:
            self.litter.extend(owed)

    def _limit(self, driver: Driver, timer: Timer) -> Driver:
        policies: list[DriverPolicy] = [Deadline(timer, self.resolved.target.wait)]
        return GovernedDriver(
            driver, [*policies, *([] if self.patience is None else [self.patience])], owned=False
        )

    @property
    def is_cheap(self) -> bool:
        """Whether histories cost nobody anything: the service is in this process, or on this machine."""
        return self.resolved.throwaway or is_loopback(urlsplit(self.resolved.info.url).hostname or "")

    def report_progress(self, counts: Mapping[str, int], *, findings: int) -> None:
        """Tell who listens how far a search is."""
        self.progress(counts, findings)

    def notes(self) -> tuple[str, ...]:
        """Notes for the user on what was left behind."""
        if not self.litter:
            return ()
        return (f"{len(self.litter)} created and perhaps not deleted, such as {self.litter[0]}",)

    def judged(self, defect: SeenDefect) -> bool:
        """Whether a defect counts: its rule has the requested level or a higher one, and nobody excluded it."""
        if {defect.rule, defect.finding.stable_code} & self.excluded:
            return False
        return RANK[rule_of(defect.rule, self.resolved.api).level] >= RANK[self.level]


def play(place: SearchTarget, history: Sequence[Step], engine: str) -> list[Failure]:
    """Play a history once; return the first failure of each kind."""
    found: dict[str, Bug] = {}
    with place.world() as world:
        for step in history:
            for defect in world.play(step):
                if place.judged(defect) and defect.key not in found:
                    found[defect.key] = Bug(defect, tuple(world.played), tuple(world.sent))
    return [bug.failure(engine) for bug in found.values()]
