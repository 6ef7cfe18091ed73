"""A foreign server that forgets who reads what is deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from tests.foreign.server import ForeignService, Json, Run


class LosesReaders(ForeignService):
    """Who reads a run that is deleted meanwhile waits for ever, until the server is `released`."""

    lasts = 3.0

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def get(self, run: Run, query: Json) -> Any:
        answer = super().get(run, query)
        return self.lose(run, answer) if isinstance(answer, list) else answer

    def lose(self, run: Run, events: list[tuple[float, Json]]) -> Iterator[tuple[float, Json]]:
        """Come to a halt once the run is gone."""
        for event in events:
            if run.id not in self.runs:
                self.released.wait()
                return
            yield event
