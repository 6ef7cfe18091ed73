"""The exhaustive engine: plays every history up to a depth, so that its result is a fact and not a sample.

Layer 4. In process only. States that are the same up to renaming are merged: if two histories lead to the same
state, one is continued and both are counted. A state is restored by playing its shortest history on a fresh
service.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, TypeVar

from harness.engine.search.failure import AnswerCounts, Bug, EngineRun
from harness.engine.search.search_target import SearchTarget, World
from harness.engine.traffic.deadline import Timer
from harness.kit.search import History, PlaysHistory, StateReading, Step
from harness.outcome import HarnessFault, UsageFault
from harness.transport import ServiceDriver

# A digest of the state of a service and its client, equal for states that are the same up to renaming.
# Ids are replaced by the order in which they appear. Times, signatures, and counters that the next id is made
# from are left out. Everything else that the objects hold counts, including caches and half-read streams. The
# whole object graph is walked, so that a mutant's own fields count as well.


_SHORTEST_ID = 16
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class StateDigest:
    """One walk over the state; ids are named in the order in which the walk meets them."""

    def __init__(self, reading: StateReading) -> None:
        self._reading = reading
        names = "|".join(map(re.escape, sorted(reading.opaque))) or "(?!)"
        self._opaque = re.compile(rf'("(?:{names})":\s*")[^"]*')
        self._names: dict[str, str] = {}
        self._seen: dict[int, int] = {}
        self._out = hashlib.blake2b(digest_size=16)

    def add(self, value: Any) -> None:
        """Add a value to the digest."""
        self._walk(value)

    def digest(self) -> bytes:
        """The digest of all values added."""
        return self._out.digest()

    def _say(self, text: str) -> None:
        self._out.update(text.encode("utf-8", "surrogatepass"))
        self._out.update(b"\0")

    def _walk(self, value: Any) -> None:
        if value is None or isinstance(value, bool | int | float | Enum):
            self._say(repr(value))
        elif isinstance(value, str):
            self._say(self._rename_ids(value))
        elif isinstance(value, bytes | bytearray):
            self._say(self._rename_ids(bytes(value).decode("utf-8", "replace")))
        elif isinstance(value, Mapping):
            self._walk_mapping(value)
        elif isinstance(value, list | tuple):
            self._say(f"[{len(value)}")
            for item in value:
                self._walk(item)
        elif isinstance(value, set | frozenset):
            for item in sorted(map(str, value)):
                self._walk(item)
        elif isinstance(value, type | FunctionType | MethodType | BuiltinFunctionType):
            self._say(value.__qualname__)
        else:
            self._walk_object(value)

    def _walk_mapping(self, value: Mapping[Any, Any]) -> None:
        self._say(f"{{{len(value)}")
        items = list(value.items())
        if any(isinstance(key, str) and self._reading.ids.search(key) for key in value):
            items.sort(
                key=lambda item: self._rename_ids(str(item[0]))
            )  # the order of a table by id has no meaning
        for key, item in items:
            self._walk(key)
            self._walk("" if key in self._reading.opaque else item)

    def _walk_object(self, value: Any) -> None:
        number = self._seen.setdefault(id(value), len(self._seen))
        self._say(f"{type(value).__qualname__}#{number}")
        if number < len(self._seen) - 1:
            return
        for name in self._list_fields(value):
            self._say(name)
            self._walk(getattr(value, name, None))

    def _list_fields(self, value: Any) -> list[str]:
        own = sorted(getattr(value, "__dict__", ()))
        kind: Hashable = type(value)  # type: ignore[assignment,unused-ignore]
        return [name for name in (*_list_slots(kind), *own) if name not in self._reading.ignored]

    def _rename_ids(self, text: str) -> str:
        if len(text) < _SHORTEST_ID:
            return text
        text = _TIME.sub("", self._opaque.sub(r"\1", text))
        return self._reading.ids.sub(lambda found: self._names.setdefault(found[0], f"<{len(self._names)}>"), text)


@cache
def _list_slots(kind: Hashable) -> list[str]:
    names: list[str] = []
    assert isinstance(kind, type)
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += (slots,) if isinstance(slots, str) else slots
    return names


def digest_state(service: Any, player: PlaysHistory, reading: StateReading) -> bytes:
    """The digest of a service and its client; what the client knows in no order counts in none."""
    return min(_digest((*view, reading.read(service)), reading) for view in player.list_views())


def _digest(values: tuple[Any, ...], reading: StateReading) -> bytes:
    walk = StateDigest(reading)
    for value in values:
        walk.add(value)
    return walk.digest()


ENGINE = "exhaustive"


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SearchState:
    """A state, given by its shortest history; `paths` counts the histories that reach it, `choices` may follow."""

    history: History
    paths: int
    choices: tuple[Step, ...]


def every(place: SearchTarget, depth: int, *, seconds: float | None = None) -> EngineRun:
    """Play all histories of up to `depth` steps. Raises UsageFault for a target outside this process."""
    if not place.resolved.throwaway:
        raise UsageFault(
            "--exhaustive needs a service in this process, such as `emulator`: a remote server cannot be reset"
        )
    reading = place.model.state
    if reading is None:
        return EngineRun(engine=ENGINE, seconds=0.0, vacuous=("the states of this API cannot be compared",))
    search = _Search(place, reading, Timer(seconds))
    reached = 0
    try:
        frontier = {b"": SearchState((), 1, search.beginnings())}
        for _ in range(depth):
            frontier = search.deeper(frontier)
            if search.timer.over():
                break
            reached += 1
    except KeyboardInterrupt:
        search.timer.stop()
    why = "it was interrupted" if search.timer.stopped else "the time limit was reached"
    notes = () if reached == depth else (f"{why}: depth {reached} of {depth} is complete",)
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
        vacuous=() if search.plays else ("nothing was run",),
        notes=notes,
        answers=search.answers,
        stopped=search.timer.stopped,
    )


class _Search:
    def __init__(self, place: SearchTarget, reading: StateReading, timer: Timer) -> None:
        self._place = place
        self._reading = reading
        self.timer = timer
        self.seen: set[bytes] = set()
        self.bugs: dict[str, Bug] = {}
        self.sightings: Counter[str] = Counter()
        self.histories = 0
        self.plays = 0
        self.answers = AnswerCounts()

    def deeper(self, frontier: dict[bytes, SearchState]) -> dict[bytes, SearchState]:
        """Run one more step from each state of `frontier`; return the new states by digest."""
        found: dict[bytes, SearchState] = {}
        for reached in frontier.values():
            for step in reached.choices:
                if self.timer.over():
                    return found
                self.histories += reached.paths
                digest, follow = self._play((*reached.history, step))
                if digest is None:
                    continue
                if digest in found:
                    found[digest] = replace(found[digest], paths=found[digest].paths + reached.paths)
                elif digest not in self.seen:
                    self.seen.add(digest)
                    found[digest] = SearchState((*reached.history, step), reached.paths, follow)
        return found

    def beginnings(self) -> tuple[Step, ...]:
        """The steps that a history may begin with."""
        return self._on_fresh((), lambda world: tuple(world.player.list_choices()))

    def _play(self, history: History) -> tuple[bytes | None, tuple[Step, ...]]:
        """The state after a history, None if its last step broke a rule; and the steps that may follow."""
        self.plays += 1

        def last(world: World) -> tuple[bytes | None, tuple[Step, ...]]:
            before = set(map(id, world.trail))
            found = [defect for defect in world.play(history[-1]) if self._place.judged(defect)]
            for exchange in world.trail:
                if id(exchange) not in before:
                    self.answers.add(self._place.model.name_call(exchange.request), exchange.status)
            for defect in found:
                bug = Bug(defect, history, tuple(world.sent))
                self.bugs.setdefault(defect.key, bug)
            self.sightings.update(defect.key for defect in found)
            after = None if found else digest_state(_require_service(world), world.player, self._reading)
            return after, tuple(world.player.list_choices())

        return self._on_fresh(history[:-1], last)

    def _on_fresh(self, history: History, then: Callable[[World], T]) -> T:
        with self._place.world(same_input=True) as world:
            for step in history:
                world.play(step)
            return then(world)


def _require_service(world: World) -> Any:
    """The service behind an in-process driver."""
    driver = world.driver
    if not isinstance(driver, ServiceDriver):
        raise HarnessFault("every history needs a driver to a service in this process")
    return driver.service
