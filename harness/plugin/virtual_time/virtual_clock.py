"""A clock that skipped sleeps move, and who does not see it: pytest and its helpers, child processes, our server.

Layer 7. A loop with a deadline ends as it would in production, only sooner. Sleeps that run side by side in one
event loop end in the order of their deadlines, and timers of asyncio that are due before a sleep ends come first.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from itertools import count
from types import FrameType
from typing import Any

from harness.plugin.virtual_time.service_clocks import begin_sleep

SERVER_THREAD = "harness-server"

_TOOLS = ("_pytest", "pytest", "pluggy", "xdist", "execnet", "hypothesis", "faulthandler", "pytest_timeout")
CHILDREN = frozenset({"subprocess", "multiprocessing"})
"""Modules that wait for other processes, which cannot be hurried."""

_EXEMPT = frozenset({*_TOOLS, *CHILDREN})
_OWN = ("harness.plugin.", "harness.transport.", "harness.benches.")
_PASSING = frozenset({
    "threading", "queue", "concurrent.futures._base", "concurrent.futures.thread",
    *(f"{__package__}.{name}" for name in ("virtual_clock", "clock_readings", "thread_waits", "sleep_skipping")),
})  # fmt: skip
"""Modules that wait, or ask for the time, on behalf of others."""

_MOMENT = 0.02
"""Real seconds in which other tasks may finish before a timer fires early: an answer of our server needs one."""

_TURNS = 5
"""Turns of the loop in which a timer may cancel the sleeper: its callback, the waiting task, the cancellation.

In as many, a task that has just woken goes on before the next one wakes.
"""


_DIGITS = 1
"""A timer that was set just before a sleep began is due a trifle earlier: services see whole tenths."""


class VirtualClock:
    """The machine's clocks, ahead by the seconds of all skipped sleeps."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._reached = 0.0
        self.over = False
        """Whether the block has ended; a function that somebody keeps then shows the machine's time."""
        self._real = time.monotonic
        self._lock = threading.Lock()
        self._numbers = count()
        self._sleeping: dict[int, list[tuple[float, int]]] = {}

    def seen_ahead(self) -> float:
        """By how many seconds the time is ahead for the module that asks for it."""
        return 0.0 if self.over or is_exempt(find_caller()) else self.ahead

    def shift_method(self, original: Callable[[Any], float]) -> Callable[[Any], float]:
        """The method of an event loop that tells its time, ahead like the other clocks."""

        def read(loop: Any) -> float:
            return original(loop) + (0.0 if self.over or _is_server() else self.ahead)

        return read

    def now(self) -> float:
        """The monotonic time that the code under test sees."""
        return self._real() + self.ahead

    def reach(self, moment: float) -> None:
        """Move on to a moment, unless it has passed."""
        with self._lock:
            self.ahead += max(0.0, moment - self.now())
            self._reached = max(self._reached, moment)

    def measure_sleep(self, begin: float) -> float:
        """The seconds by which other sleeps and timers have moved the clock since `begin`."""
        return max(0.0, round(self._reached - begin, _DIGITS))

    async def sleep(self, seconds: float, pause: Callable[[float], Awaitable[Any]]) -> None:
        """Sleep in an event loop without waiting; `pause` is the loop's own sleep.

        Other tasks run in between, and those that sleep too wake in order.
        """
        begin, pass_time = self.now(), begin_sleep()
        me = (begin + seconds, next(self._numbers))
        here = self._sleeping.setdefault(threading.get_ident(), [])
        heapq.heappush(here, me)
        try:
            turns = 0
            while turns < _TURNS:
                await pause(0)
                turns = turns + 1 if here[0] == me else 0
            await self._run_timers(me[0], len(here), pause, lambda due: pass_time(round(due - begin, _DIGITS)))
            self.reach(me[0])
            pass_time(seconds)
        finally:
            here.remove(me)
            heapq.heapify(here)

    async def _run_timers(
        self,
        wake: float,
        sleepers: int,
        pause: Callable[[float], Awaitable[Any]],
        note: Callable[[float], None],
    ) -> None:
        """Move to each timer of the running asyncio loop that is due before `wake`, note it, and let it run."""
        while (due := _find_timer(self.now(), wake)) is not None:
            if len(asyncio.all_tasks()) > sleepers:
                await pause(_MOMENT)
            if _find_timer(self.now(), wake) == due:
                self.reach(due)
                note(due)
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
    return module.partition(".")[0] in _EXEMPT or module.startswith(_OWN) or _is_server()


def find_caller(frame: FrameType | None = None, *, outermost: bool = False) -> str:
    """The module that waits or asks for the time; with `outermost`, that of a thread's first function."""
    found = ""
    frame = frame or sys._getframe(1)
    while frame is not None and (outermost or not found):
        module = str(frame.f_globals.get("__name__", ""))
        found = found if module in _PASSING else module
        frame = frame.f_back
    return found


def _is_server() -> bool:
    return threading.current_thread().name == SERVER_THREAD
