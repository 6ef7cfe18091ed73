"""Failing histories in an example database of Hypothesis, through which processes and machines share them.

Layer 4. A history is stored as plain data, so it stays valid when what Hypothesis draws from changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from harness.kit.search import History, SearchModel, Step

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase


class SharedHistories:
    """The failing histories of one engine in `database`; none are kept without one."""

    def __init__(self, database: ExampleDatabase | None, engine: str, model: SearchModel) -> None:
        self._database = database
        self._model = model
        self._key = f"harness fuzz {engine}".encode()

    def read(self) -> Iterator[list[Step]]:
        """What anybody has stored; what is no history of ours is skipped."""
        for value in sorted(self._database.fetch(self._key)) if self._database is not None else ():
            try:
                yield [self._model.read_step(record) for record in json.loads(value)]
            except (ValueError, TypeError):
                continue

    def keep(self, histories: Iterable[History]) -> None:
        """Store these."""
        for history in histories if self._database is not None else ():
            record = [step.record() for step in history]
            self._database.save(self._key, json.dumps(record, ensure_ascii=False).encode())  # type: ignore[union-attr]
