"""Failing histories in an example database of Hypothesis, through which processes and machines share them.

Layer 4. A history is stored as plain data, so it stays valid when what Hypothesis draws from changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from harness.strategies.operations import ClientCommand

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase


class SharedHistories:
    """The failing histories of one engine in `database`; none are kept without one."""

    def __init__(self, database: ExampleDatabase | None, engine: str) -> None:
        self._database = database
        self._key = f"harness fuzz {engine}".encode()

    def read(self) -> Iterator[list[ClientCommand]]:
        """What anybody has stored; what is no history of ours is skipped."""
        for value in sorted(self._database.fetch(self._key)) if self._database is not None else ():
            try:
                yield [ClientCommand(**operation) for operation in json.loads(value)]
            except (ValueError, TypeError):
                continue

    def keep(self, histories: Iterable[tuple[ClientCommand, ...]]) -> None:
        """Store these."""
        for history in histories if self._database is not None else ():
            record = [operation.record() for operation in history]
            self._database.save(self._key, json.dumps(record, ensure_ascii=False).encode())  # type: ignore[union-attr]
