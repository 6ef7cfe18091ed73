"""The stored interactions of one session, separated by project, up to a maximum number.

Layer 2. Mutants override keep, find or forget.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from harness.emulator.run.run import Run

_REMEMBERED = 10_000
"""How many ids of forgotten interactions are remembered, to say what became of them."""


class InteractionStore:
    """Interactions by id; beyond `most`, or `most_bytes` of memory, the oldest are forgotten.

    The latest is always kept.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._forgotten: OrderedDict[str, None] = OrderedDict()
        self._kept = 0
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def keep(self, run: Run) -> None:
        """Store an interaction, and give it the next serial number."""
        self._kept += 1
        run.serial = self._kept
        self._runs[run.id] = run
        self._bytes += run.size
        while len(self._runs) > 1 and (len(self._runs) > self._most or self._bytes > self._most_bytes):
            self._forgotten[next(iter(self._runs))] = None
            self.forget_oldest()
        while len(self._forgotten) > _REMEMBERED:
            self._forgotten.popitem(last=False)

    def forget_oldest(self) -> None:
        """Remove the interaction stored first. If it is held, it goes on: nobody could release it later."""
        _, run = self._runs.popitem(last=False)
        run.release()
        self._bytes -= run.size

    def was_forgotten(self, interaction_id: str) -> bool:
        """Whether an interaction was stored and had to make room."""
        return interaction_id in self._forgotten

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
        """Remove an interaction."""
        del self._runs[run.id]
        self._bytes -= run.size

    def clear(self) -> None:
        """Remove all interactions."""
        self._runs.clear()
        self._bytes = 0

    def of(self, project: str) -> Iterator[tuple[int, Run]]:
        """Yield (serial number, run) for every run that the project may see, oldest first."""
        return ((run.serial, run) for run in self._runs.values() if self.may_see(run, project))

    def all(self) -> list[Run]:
        """Return all interactions, oldest first."""
        return list(self._runs.values())
