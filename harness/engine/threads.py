"""Threads that share one list of tasks, and how they end: at once on request, whatever they wait for.

Layer 4. Must not know what the tasks are. The threads are daemons: no request that hangs keeps the process alive.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from harness.wire import Driver

JOIN_SECONDS = 2.0
"""Seconds to wait for threads that were told to end; after that, their connections are shut down."""

T = TypeVar("T")


class Shared(Generic[T]):
    """An iterator that several threads may draw from."""

    def __init__(self, items: Iterable[T]) -> None:
        self._iterator = iter(items)
        self._lock = threading.Lock()

    def __iter__(self) -> Shared[T]:
        return self

    def __next__(self) -> T:
        with self._lock:
            return next(self._iterator)


def join_all(threads: Sequence[threading.Thread], seconds: float | None) -> bool:
    """Wait for threads, together at most `seconds`; whether all have ended."""
    until = None if seconds is None else time.monotonic() + seconds
    for thread in threads:
        thread.join(None if until is None else max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def end_all(threads: Sequence[threading.Thread], drivers: Iterable[Driver], seconds: float | None) -> bool:
    """Wait for threads; if they last longer than `seconds`, shut down what they use. Whether all have ended."""
    if join_all(threads, seconds):
        return True
    for driver in drivers:  # what they wait for may be a stream that never ends
        driver.interrupt()
    return join_all(threads, JOIN_SECONDS)
