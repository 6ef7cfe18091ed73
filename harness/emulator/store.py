"""The stored interactions of one session, apart per project, within a bound.

Layer 2. Seams: keep, find, forget.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from harness.emulator.run import Run


class Store:
    """Interactions by id; the oldest is forgotten when there are too many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = 0
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def __len__(self) -> int:
        return len(self._runs)

    def keep(self, run: Run) -> None:
        """Store one."""
        self._kept += 1
        run.serial = self._kept
        self._runs[run.id] = run
        if len(self._runs) > self._most:
            self._runs.popitem(last=False)

    def get(self, interaction_id: str) -> Run | None:
        """The interaction, whosever it is."""
        return self._runs.get(interaction_id)

    def find(self, interaction_id: str, project: str) -> Run | None:
        """The interaction, if it is there and belongs to the project."""
        run = self.get(interaction_id)
        return run if run is not None and self.may_see(run, project) else None

    def may_see(self, run: Run, project: str) -> bool:
        """Interactions of another project do not exist for the caller."""
        return run.project == project

    def forget(self, run: Run) -> None:
        """Remove one."""
        del self._runs[run.id]

    def clear(self) -> None:
        """Remove all."""
        self._runs.clear()

    def of(self, project: str) -> Iterator[tuple[int, Run]]:
        """What the project may see, oldest first, with keys that only grow."""
        return ((run.serial, run) for run in self._runs.values() if self.may_see(run, project))

    def all(self) -> list[Run]:
        """Oldest first."""
        return list(self._runs.values())
