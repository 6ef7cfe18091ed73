"""What scripts and fixtures do to the runs of one session: look at them, hold them, and let them go on.

Layer 2. None of it is an operation of the API. The caller holds the lock.
"""

from __future__ import annotations

from typing import Any

from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.run.store import InteractionStore
from harness.emulator.script.script_queue import ScriptQueue


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

        It names its parent, which no surface of the service shows.
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
        """How many answers wait and how many of them refuse, whether new runs are held, and which runs are."""
        held = [run.id for run in self._store.all() if run.background and run.on_hold]
        return {
            "queued": len(self._scripts),
            "refusals": self._scripts.refusals,
            "holding": self.holding,
            "held": held,
        }

    def release(self, interaction_id: str | None = None) -> int:
        """Let one held run continue, or all of them; return how many were held."""
        if interaction_id is None:
            self.holding = False
        return sum(run.release() for run in self._select(interaction_id))

    def advance(self, interaction_id: str | None = None) -> int:
        """Let one held run go on by one event and hold it there, or all of them; return how many were held."""
        return sum(run.advance() for run in self._select(interaction_id))

    def _select(self, interaction_id: str | None) -> list[Run]:
        """The run with this id, or all runs without one."""
        return [run for run in (*self._store.all(), *self._unstored) if interaction_id in (None, run.id)]
