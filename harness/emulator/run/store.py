"""The stored interactions of one session, and what scripts and fixtures do to them.

The caller holds the lock. Mutants override keep, find or forget.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.scripts import ScriptQueue


class InteractionStore:
    """Interactions by id; beyond `most`, or `most_bytes` of memory, the oldest are forgotten.

    The latest is always kept.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self.forgotten: OrderedDict[str, None] = OrderedDict()
        """The ids of those that had to make room, for the refusal of a GET."""
        self._kept = 0
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def keep(self, run: Run) -> None:
        """Store an interaction, and give it the next serial number."""
        runs = self._runs
        self._kept = run.serial = self._kept + 1
        runs[run.id] = run
        self._bytes += run.size
        while (len(runs) > self._most or self._bytes > self._most_bytes) and len(runs) > 1:
            identity, oldest = runs.popitem(last=False)
            oldest.release()  # no client could release it later
            self._bytes -= oldest.size
            self.forgotten[identity] = None
            if len(self.forgotten) > 10_000:
                self.forgotten.popitem(last=False)

    def get(self, interaction_id: str) -> Run | None:
        """Return an interaction of any project, or None."""
        return self._runs.get(interaction_id)

    def find(self, interaction_id: str, project: str) -> Run | None:
        """Return an interaction that the project may see, or None."""
        run = self.get(interaction_id)
        return run if run is not None and self.may_see(run, project) else None

    def may_see(self, run: Run, project: str) -> bool:
        """Whether the project may see a run; runs of other projects do not exist for it."""
        return run.project == project

    def forget(self, run: Run) -> None:
        del self._runs[run.id]
        self._bytes -= run.size

    def clear(self) -> None:
        self._runs.clear()
        self._bytes = 0

    def of(self, project: str) -> Iterator[tuple[int, Run]]:
        """Yield (serial number, run) for every run that the project may see, oldest first."""
        return ((run.serial, run) for run in self._runs.values() if self.may_see(run, project))

    def all(self) -> list[Run]:
        return list(self._runs.values())


class Steering:
    """Call `note_begun` for each new run: those that no store keeps are kept here until they settle."""

    def __init__(self, store: InteractionStore, bodies: Bodies, scripts: ScriptQueue) -> None:
        self.holding = False
        self._store = store
        self._bodies = bodies
        self._scripts = scripts
        self._unstored: list[Run] = []

    def note_begun(self, run: Run) -> None:
        """Hold a new run if all are to be held."""
        if self.holding and run.background:
            run.hold()
        if not run.settled and not run.stored:
            self._unstored = [*(held for held in self._unstored if not held.settled), run]

    def look(self, interaction_id: str) -> dict[str, Any] | None:
        """Return an interaction of any project as it is now, or None, without moving it on.

        Unlike a response of the service, it names its parent.
        """
        run = self._store.get(interaction_id)
        if run is None:
            return None
        parent = {name: value for name, value in run.body.items() if name == "previous_interaction_id"}
        return {**self._bodies.interaction(run, timeline=True), **parent}

    def hold(self, interaction_id: str | None = None) -> int:
        """Hold one background run, or all of them, including future ones; return how many run no further."""
        if interaction_id is None:
            self.holding = True
        chosen = [run for run in self._select(interaction_id) if run.background]
        for run in chosen:
            run.hold()
        return sum(run.on_hold for run in chosen)

    def describe_state(self) -> dict[str, Any]:
        """Return the counts of waiting answers and refusals, whether new runs are held, and the held runs."""
        held = [run.id for run in self._store.all() if run.background and run.on_hold]
        return {
            "queued": len(self._scripts),
            "refusals": self._scripts.refusals,
            "holding": self.holding,
            "held": held,
        }

    def release(self, interaction_id: str | None = None) -> int:
        """Let one held run continue, or all of them; return the number of runs that were held."""
        if interaction_id is None:
            self.holding = False
        return sum(run.release() for run in self._select(interaction_id))

    def lease(self, project: str, environment_id: str | None) -> list[dict[str, Any]]:
        """Let runs of a project or an environment go on that wait for a worker; return them as they waited."""
        waiting = [
            run
            for run in self._select(None)
            if run.needs_worker
            and run.held
            and run.project == project
            and environment_id in (None, run.environment_id)
        ]
        leased = [self._bodies.interaction(run, timeline=True) for run in waiting]
        for run in waiting:
            run.release()
        return leased

    def advance(self, interaction_id: str | None = None) -> int:
        """Let one held run go on by one event and hold it there, or all of them; return how many were held."""
        return sum(run.advance() for run in self._select(interaction_id))

    def _select(self, interaction_id: str | None) -> list[Run]:
        """The run with this id, or all runs without one."""
        return [run for run in (*self._store.all(), *self._unstored) if interaction_id in (None, run.id)]
