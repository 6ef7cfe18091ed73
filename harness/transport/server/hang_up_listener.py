"""How a service that blocks learns that nobody needs its response any more: its client left, or the server stops.

Layer 3. Knows callbacks only. A carrier that calls services on threads sets `LEAVING` around each call; a service
may ignore it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar


class Leaving:
    """Whether one client has left, with callbacks for when it does; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = False
        self._calls: list[Callable[[], None]] = []

    def leave(self) -> None:
        """The client left: run the callbacks."""
        with self._lock:
            self._left = True
            calls, self._calls = self._calls, []
        for call in calls:
            call()

    def tell(self, call: Callable[[], None]) -> None:
        """Run `call` when the client leaves, on any thread; at once if it has left already."""
        with self._lock:
            if not self._left:
                self._calls.append(call)
                return
        call()


LEAVING: ContextVar[Leaving | None] = ContextVar("harness_leaving", default=None)
