"""How a service that waits learns that nobody waits for it any more: its client left, or the server stops.

Layer 3. Knows callbacks only. A carrier that calls services on threads sets `LEAVING` around each call; a service
that does not care never looks at it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar


class Leaving:
    """One client's leaving; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = False
        self._calls: list[Callable[[], None]] = []

    def leave(self) -> None:
        """The client left."""
        with self._lock:
            self._left = True
            calls, self._calls = self._calls, []
        for call in calls:
            call()

    def tell(self, call: Callable[[], None]) -> None:
        """Have `call` called when the client leaves, on whatever thread; at once where it has."""
        with self._lock:
            if not self._left:
                self._calls.append(call)
                return
        call()


LEAVING: ContextVar[Leaving | None] = ContextVar("harness_leaving", default=None)
