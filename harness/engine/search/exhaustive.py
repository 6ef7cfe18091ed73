"""The exhaustive engine: plays every history up to a depth, so that its result is a fact and not a sample.

Layer 4. In process only. States that are the same up to renaming are merged: if two histories lead to the same
state, one is continued and both are counted. A state is restored by playing its shortest history on a fresh
emulator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.emulator import Emulator
from harness.engine.search.failure import Bug, EngineRun
from harness.engine.search.playing.operations_table import move
from harness.engine.search.search_target import SearchTarget
from harness.engine.search.state_digest import state
from harness.engine.search.world import World
from harness.engine.traffic.deadline import Timer
from harness.outcome import HarnessFault, UsageFault
from harness.strategies.operations import ClientCommand
from harness.transport import ServiceDriver

ENGINE = "exhaustive"
INTERACTIONS = 2
READERS = 2

_CREATES = ("plain", "background", "background-stream", "unstored", "tools")
_LATE_MODES = ("plain", "background")
_COUNTS = (1, 4)

History = tuple[ClientCommand, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SearchState:
    """A state, given by its shortest history; `paths` counts the histories that reach it, `choices` may follow."""

    history: History
    paths: int
    choices: tuple[ClientCommand, ...]


def every(place: SearchTarget, depth: int, *, seconds: float | None = None) -> EngineRun:
    """Play all histories of up to `depth` operations. Raises UsageFault for a target outside this process."""
    if not place.resolved.throwaway:
        raise UsageFault(
            "--exhaustive needs a service in this process, such as `emulator`: a URL cannot be rewound"
        )
    search = _Search(place, Timer(seconds))
    frontier = {b"": SearchState((), 1, search.beginnings())}
    reached = 0
    for _ in range(depth):
        frontier = search.deeper(frontier)
        if search.timer.over():
            break
        reached += 1
    notes = () if reached == depth else (f"time was up: depth {reached} of {depth} is complete",)
    return EngineRun(
        engine=ENGINE,
        seconds=search.timer.spent,
        counts={
            "depth": reached,
            "histories": search.histories,
            "states": len(search.seen),
            "plays": search.plays,
        },
        failures=tuple(bug.failure(ENGINE, search.sightings[key]) for key, bug in search.bugs.items()),
        vacuous=() if search.plays else ("nothing was played",),
        notes=notes,
    )


class _Search:
    def __init__(self, place: SearchTarget, timer: Timer) -> None:
        self._place = place
        self.timer = timer
        self.seen: set[bytes] = set()
        self.bugs: dict[str, Bug] = {}
        self.sightings: Counter[str] = Counter()
        self.histories = 0
        self.plays = 0

    def deeper(self, frontier: dict[bytes, SearchState]) -> dict[bytes, SearchState]:
        """Play one more operation from each state of `frontier`; return the new states by digest."""
        found: dict[bytes, SearchState] = {}
        for reached in frontier.values():
            for operation in reached.choices:
                if self.timer.over():
                    return found
                self.histories += reached.paths
                digest, follow = self._play((*reached.history, operation))
                if digest is None:
                    continue
                if digest in found:
                    found[digest] = replace(found[digest], paths=found[digest].paths + reached.paths)
                elif digest not in self.seen:
                    self.seen.add(digest)
                    found[digest] = SearchState((*reached.history, operation), reached.paths, follow)
        return found

    def beginnings(self) -> tuple[ClientCommand, ...]:
        """The operations that a history may begin with."""
        return self._on_fresh((), lambda emulator, world: tuple(choices(world)))

    def _play(self, history: History) -> tuple[bytes | None, tuple[ClientCommand, ...]]:
        """The state after a history, None if its last step broke a promise; and what may follow."""
        self.plays += 1

        def last(emulator: Emulator, world: World) -> tuple[bytes | None, tuple[ClientCommand, ...]]:
            found = [defect for defect in move(world, history[-1]) if self._place.judged(defect)]
            for defect in found:
                bug = Bug(defect, history, tuple(world.sent))
                self.bugs.setdefault(defect.key, bug)
            self.sightings.update(defect.key for defect in found)
            return (None if found else state(emulator, world)), tuple(choices(world))

        return self._on_fresh(history[:-1], last)

    def _on_fresh(self, history: History, then: Callable[[Emulator, World], T]) -> T:
        with self._place.world(same_input=True) as world:
            for operation in history:
                move(world, operation)
            return then(_emulator(world), world)


def _emulator(world: World) -> Emulator:
    """The service behind an in-process driver."""
    driver = world.driver
    if not isinstance(driver, ServiceDriver) or not isinstance(driver.service, Emulator):
        raise HarnessFault("every history needs a driver to an emulator in this process")
    return driver.service


def choices(world: World) -> Iterator[ClientCommand]:
    """The operations that a state allows."""
    room = len(world.interactions) < INTERACTIONS
    if room:
        yield from (ClientCommand("create", mode=mode) for mode in _CREATES)
    for number, known in enumerate(world.interactions):
        if not known.id:
            continue
        yield from (ClientCommand(kind, number) for kind in ("poll", "replay", "cancel", "delete"))
        if room or known.gone or known.running:
            yield from (ClientCommand("chain", number, mode) for mode in _LATE_MODES)
        if known.calls and room:
            yield ClientCommand("answer", number, "plain")
        if known.background and known.there and len(world.readers) < READERS:
            yield from (ClientCommand("open", number, count=count) for count in _COUNTS)
    yield from _of_readers(world)


def _of_readers(world: World) -> Iterator[ClientCommand]:
    number_open = sum(not reader.closed for reader in world.readers)
    for number in range(number_open):
        yield from (ClientCommand(kind, number) for kind in ("drop", "finish"))
        yield ClientCommand("read", number, count=2)
    if world.readers and len(world.readers) < READERS:
        yield ClientCommand("resume", 0, count=2)
