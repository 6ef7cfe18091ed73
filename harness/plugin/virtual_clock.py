"""A clock that skipped sleeps move: what `time.monotonic`, `time.time` and `time.perf_counter` show meanwhile.

Layer 7. A loop with a deadline ends as it would in production, only sooner. Sleeps that run side by side in one
event loop end in the order of their deadlines, and timers of asyncio that are due before a sleep ends come first.
pytest and its helpers, and our own server, see the machine's time.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any

SERVER_THREAD = "harness-server"
READINGS = ("monotonic", "time", "perf_counter", "monotonic_ns", "time_ns", "perf_counter_ns")
"""The functions of `time` that the clock replaces."""

_EXEMPT = ("_pytest", "pytest", "pluggy", "xdist", "execnet", "hypothesis", "faulthandler", "pytest_timeout")
_OWN = ("harness.plugin.", "harness.transport.", "harness.benches.")
_MOMENT = 0.02
"""Real seconds in which other tasks may finish before a timer fires early: an answer of our server needs one."""


_TURNS = 5
"""Turns of the loop in which a timer may cancel the sleeper: its callback, the waiting task, the cancellation."""


class VirtualClock:
    """The machine's clocks, ahead by the seconds of all skipped sleeps."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.over = False
        """Whether the block has ended; a function that somebody keeps then shows the machine's time."""
        self._real = time.monotonic
        self._lock = threading.Lock()
        self._numbers = count()
        self._sleeping: dict[int, list[tuple[float, int]]] = {}

    def replacements(self) -> Iterator[tuple[Callable[[], Any], Callable[[], Any]]]:
        """(original, replacement) for each function of `time` that tells the time."""
        for name in READINGS:
            original = getattr(time, name)
            yield original, self._shift(original, 10**9 if name.endswith("_ns") else 1)

    def _shift(self, original: Callable[[], Any], unit: int) -> Callable[[], Any]:
        kind = type(original())

        def read() -> Any:
            if self.over or is_exempt(sys._getframe(1).f_globals.get("__name__", "")):
                return original()
            return original() + kind(self.ahead * unit)

        return read

    def shift_method(self, original: Callable[[Any], float]) -> Callable[[Any], float]:
        """The method of an event loop that tells its time, ahead like the other clocks."""

        def read(loop: Any) -> float:
            return original(loop) + (0.0 if self.over or _is_server() else self.ahead)

        return read

    def now(self) -> float:
        """The monotonic time that the code under test sees."""
        return self._real() + self.ahead

    def pass_time(self, seconds: float) -> None:
        """Let some seconds pass at once."""
        with self._lock:
            self.ahead += seconds

    def _reach(self, moment: float) -> None:
        with self._lock:
            self.ahead += max(0.0, moment - self.now())

    async def sleep(self, seconds: float, pause: Callable[[float], Awaitable[Any]]) -> None:
        """Sleep in an event loop without waiting; `pause` is the loop's own sleep.

        Other tasks run in between, and those that sleep too wake in order.
        """
        me = (self.now() + seconds, next(self._numbers))
        here = self._sleeping.setdefault(threading.get_ident(), [])
        heapq.heappush(here, me)
        try:
            await pause(0)
            while here[0] != me:
                await pause(0)
            await self._run_timers(me[0], len(here), pause)
            self._reach(me[0])
        finally:
            here.remove(me)
            heapq.heapify(here)

    async def _run_timers(self, wake: float, sleepers: int, pause: Callable[[float], Awaitable[Any]]) -> None:
        """Move to each timer of the running asyncio loop that is due before `wake`, and let it run."""
        while (due := _find_timer(self.now(), wake)) is not None:
            if len(asyncio.all_tasks()) > sleepers:
                await pause(_MOMENT)
            if _find_timer(self.now(), wake) == due:
                self._reach(due)
                for _ in range(_TURNS):
                    await pause(0)


def _find_timer(now: float, wake: float) -> float | None:
    """The moment of the earliest timer after `now` and before `wake`; None if there is none, or no way to know."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # trio
        return None
    handles = list(getattr(loop, "_scheduled", ()))
    moments = [handle.when() for handle in handles if not handle.cancelled()]
    return min((moment for moment in moments if now < moment < wake), default=None)


def is_exempt(module: str) -> bool:
    """Whether a module sees the machine's time: pytest, its helpers, or our own server."""
    if module.partition(".")[0] in _EXEMPT or module.startswith(_OWN):
        return True
    return _is_server()


def _is_server() -> bool:
    return threading.current_thread().name == SERVER_THREAD
