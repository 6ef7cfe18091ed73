"""Waits of threads on a virtual clock: `time.sleep`, and `threading.Condition.wait` with all that is made of it.

Layer 7. `Event.wait(5)` or `queue.get(timeout=5)` is a sleep that another thread may end. So it is over at once if
no other thread is left that could: all of them wait, too, and for longer. While one runs, it waits as ever, but
not beyond its deadline on the virtual clock. Sleeps and waits side by side end in the order of their deadlines.
"""

from __future__ import annotations

import concurrent.futures.thread
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from math import inf
from types import FrameType
from typing import Any

from harness.plugin.virtual_time.service_clocks import begin_sleep
from harness.plugin.virtual_time.virtual_clock import SERVER_THREAD, VirtualClock, find_caller, is_exempt

_wait = threading.Condition.wait
_real = time.monotonic

_SLICE = 0.005
"""Real seconds after which a wait looks at the clock again."""

_TRIFLE = 0.05
"""Seconds that a caller may have counted off a wait before it began; services are told the whole of it."""

_PATIENCE = 0.5
"""Real seconds that a sleep gives another thread to come to its next wait; without that, it would be behind."""

_IDLE = frozenset(
    getattr(owner, name).__code__
    for owner, name in (
        (threading.Condition, "wait"),
        (threading.Thread, "join"),
        (threading.Thread, "_wait_for_tstate_lock"),  # until Python 3.12
        (concurrent.futures.thread, "_worker"),
    )
    if hasattr(owner, name)
)
"""Functions in which a thread does nothing, unless they call another one."""

_SPLITTING = frozenset(
    function.__code__ for function in (queue.Queue.get, queue.Queue.put, threading.Condition.wait_for)
)
"""Functions that wait for what is left of their own `timeout`, again and again."""


@dataclass(eq=False, slots=True)
class _Wait:
    """A wait that has not ended; `condition` is what may end it early."""

    deadline: float
    number: int
    condition: Any = None


class ThreadWaits:
    """The waits of the code under test; `record` is called with the seconds of each that nothing ended early."""

    def __init__(self, clock: VirtualClock, record: Callable[[float], object]) -> None:
        self._clock = clock
        self._record = record
        self._changed = threading.Condition()
        self._waits: dict[int, _Wait] = {}
        self._numbers = count()
        self._older = frozenset(sys._current_frames())
        self._running_since: dict[int, float] = {}

    def sleep(self, seconds: float) -> None:
        """Let the seconds pass; threads that wait for less come first."""
        me, pass_time = _Wait(self._clock.now() + seconds, next(self._numbers)), begin_sleep()
        with self._changed, self._begin(me):
            while self._clock.now() < me.deadline:
                if self._comes_first(me) and not self._is_anyone_on_the_way():
                    self._clock.reach(me.deadline)
                else:
                    _wait(self._changed, _SLICE)
            pass_time(seconds)
        self._record(seconds)

    def replacement(self) -> Callable[..., bool]:
        """The method `threading.Condition.wait` for as long as the clock is used."""

        def wait(condition: threading.Condition, timeout: float | None = None) -> bool:
            if timeout is not None and (timeout <= 0 or self._clock.over or is_exempt(find_caller())):
                return _wait(condition, timeout)
            end, pass_time = inf if timeout is None else self._clock.now() + timeout, begin_sleep()
            with self._begin(me := _Wait(end, next(self._numbers), condition)):
                if timeout is None:
                    return _wait(condition)
                while self._clock.now() < end:
                    if self._is_due(me):
                        self._clock.reach(end)
                    if _wait(condition, max(0, min(_SLICE, end - self._clock.now()))):
                        return True
                whole = _find_whole(sys._getframe(1), timeout)
                pass_time(min(whole, timeout + _TRIFLE))
            self._record(whole)
            return False

        return wait

    @contextmanager
    def _begin(self, wait: _Wait) -> Iterator[None]:
        me = threading.get_ident()
        with self._changed:
            self._waits[me] = wait
            self._running_since.pop(me, None)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._waits.pop(me, None)  # gone if a signal's handler has waited in between
                self._running_since[me] = _real()
                self._changed.notify_all()

    def _is_due(self, me: _Wait) -> bool:
        """Whether nobody could end a wait any more before its deadline."""
        with self._changed:
            return not self._clock.over and self._comes_first(me) and not any(self._find_running())

    def _comes_first(self, me: _Wait) -> bool:
        """Whether all others that wait still do so, and for longer."""
        others = [wait for wait in self._waits.values() if wait is not me]
        return all(
            (me.deadline, me.number) < (wait.deadline, wait.number) and not _is_woken(wait, others)
            for wait in others
        )

    def _find_running(self) -> Iterator[int]:
        """The other threads that neither wait nor belong to pytest, its helpers or us."""
        named = {thread.ident: thread for thread in threading.enumerate()}
        for ident, frame in sys._current_frames().items():
            if ident == threading.get_ident() or ident in self._waits or frame.f_code in _IDLE:
                continue
            if not _is_exempt_thread(named.get(ident), frame):
                yield ident

    def _is_anyone_on_the_way(self) -> bool:
        """Whether a thread that is new, or has waited before, may soon wait for less than this one."""
        now = _real()
        for ident in self._find_running():
            is_ours = ident not in self._older or ident in self._running_since
            if is_ours and now - self._running_since.setdefault(ident, now) < _PATIENCE:
                return True
        return False


def _find_whole(caller: FrameType, timeout: float) -> float:
    """The seconds that the user gave, of which `caller` may have counted some off before it waited."""
    return float(caller.f_locals["timeout"]) if caller.f_code in _SPLITTING else timeout


def _is_woken(wait: _Wait, others: list[_Wait]) -> bool:
    """Whether someone has ended a wait whose thread has not come to run yet."""
    if wait.condition is None:
        return False
    return sum(other.condition is wait.condition for other in others) > len(wait.condition._waiters)


def _is_exempt_thread(thread: threading.Thread | None, frame: FrameType) -> bool:
    if thread is threading.main_thread():
        return False
    timed = getattr(getattr(thread, "function", None), "__module__", "")  # of a threading.Timer
    begun = find_caller(frame, outermost=True) or str(timed)
    return getattr(thread, "name", "") == SERVER_THREAD or is_exempt(begun)
