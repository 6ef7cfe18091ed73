"""Waits of threads on a virtual clock: `time.sleep`, and `threading.Condition.wait` with all that calls it.

`Event.wait(5)` or `queue.get(timeout=5)` is a sleep that another thread may end. So it is over at once if no other
thread is left that could: all of them wait, too, and for longer. While one runs, it waits as ever, but not beyond
its deadline on the virtual clock. Sleeps and waits side by side end in the order of their deadlines.
"""

from __future__ import annotations

import concurrent.futures.thread
import gc
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from math import inf
from types import FrameType
from typing import Any

from msgspec import Struct

from harness.plugin.blocking_calls import note_blocking
from harness.plugin.session_server import SERVER_THREAD, begin_sleep
from harness.plugin.time_sources import find_caller, is_exempt, is_server
from harness.plugin.virtual_clock import THRESHOLD, VirtualClock

_wait = threading.Condition.wait
_real = time.monotonic

_SLICE = 0.005
"""Real seconds after which a wait looks at the clock again."""

_TRIFLE = 0.05
"""Seconds that a caller may have counted off a wait before it began; services get the whole of it."""

_WAITING = (
    "a wait of a thread, such as `Event.wait`, `queue.get` or `future.result`,",
    "Wait with `asyncio`'s own (`await asyncio.wait_for(event.wait(), …)`), or in `asyncio.to_thread`.",
)


def _wait_slice(condition: Any, seconds: float) -> bool:
    """`Condition.wait`, but it hears what comes after the seconds, before the lock is there again, as well."""
    (waiter := threading.Lock()).acquire()
    condition._waiters.append(waiter)
    state = condition._release_save()
    try:
        waiter.acquire(timeout=seconds)
    finally:
        condition._acquire_restore(state)
        if not (is_told := waiter not in condition._waiters):
            condition._waiters.remove(waiter)
    return is_told


_IDLE = frozenset(
    getattr(owner, name).__code__
    for owner, name in ((sys.modules[__name__], _wait_slice.__name__), (threading.Condition, "wait"))
)
"""Functions in which a thread does nothing, unless they call another one."""

_JOINS = frozenset(
    getattr(threading.Thread, name).__code__
    for name in ("join", "_wait_for_tstate_lock")  # the second until Python 3.12
    if hasattr(threading.Thread, name)
)


_SPLITTING = frozenset(
    function.__code__ for function in (queue.Queue.get, queue.Queue.put, threading.Condition.wait_for)
)
"""Functions that wait for what is left of their own `timeout`, again and again."""


class _Wait(Struct, eq=False):
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
        self._calls: set[Any] = set()
        self._given: set[Any] = set()
        self._older = frozenset(list_frames())
        # A thread that was there before is not waited for until it has waited itself; but this one runs the
        # test. It used to be known only from its wait for the start of a thread, which on a busy machine may have
        # started before any thread waits for it.
        self._running_since: dict[int, float | None] = {threading.get_ident(): None}
        """The moment of the first look at a thread since its last wait; None until then."""

    def sleep(self, seconds: float) -> None:
        """Let the seconds pass; threads that wait for less come first."""
        me, pass_time = _Wait(self._clock.now() + seconds, next(self._numbers)), begin_sleep()
        with self._changed, self._begin(me):
            while self._clock.now() < me.deadline:
                if self._comes_first(me) and not self._is_anyone_on_the_way():
                    self._clock.reach(me.deadline)
                else:
                    _wait_slice(self._changed, _SLICE)
            pass_time(seconds)
        self._record(seconds)

    def replacement(self) -> Callable[..., bool]:
        """The method `threading.Condition.wait` for as long as the clock is used."""

        def wait(condition: threading.Condition, timeout: float | None = None) -> bool:
            is_ours = condition._is_owned() and not self._clock.over  # type: ignore[attr-defined]
            if timeout is not None and (timeout <= 0 or not is_ours or is_exempt(find_caller())):
                return _wait(condition, timeout)
            end, pass_time = inf if timeout is None else self._clock.now() + timeout, begin_sleep()
            with self._begin(me := _Wait(end, next(self._numbers), condition)):
                if not _begins_thread(sys._getframe(1)):
                    note_blocking(*_WAITING)
                if timeout is None:
                    return _wait(condition)
                while self._clock.now() < end:
                    with self._changed:  # due if no thread could end the wait any more before its deadline
                        is_due = not self._clock.over and self._comes_first(me) and not any(self._find_running())
                    if is_due:
                        self._clock.reach(end)
                    if _wait_slice(condition, max(0, min(_SLICE, end - self._clock.now()))):
                        return True
                caller = sys._getframe(1)  # it may have counted some seconds off before it waited
                whole = float(caller.f_locals["timeout"]) if caller.f_code in _SPLITTING else timeout
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
                self._running_since[me] = None
                self._changed.notify_all()

    def _comes_first(self, me: _Wait) -> bool:
        """Whether all others that wait still do so, and for longer."""
        others = [wait for wait in self._waits.values() if wait is not me]
        for wait in others:
            if (me.deadline, me.number) > (wait.deadline, wait.number):
                return False
            waiting = sum(other.condition is wait.condition for other in others)
            if wait.condition is not None and waiting > len(wait.condition._waiters):
                return False  # someone has ended it, and its thread has not come to run yet
        return True

    def _find_running(self) -> Iterator[int]:
        """The other threads that neither wait nor belong to pytest, its helpers or us."""
        named = {thread.ident: thread for thread in threading.enumerate()}
        yield from (-id(thread) for thread in threading.enumerate() if thread.ident is None)  # it is starting
        for ident, frame in list_frames().items():
            if ident == threading.get_ident() or ident in self._waits or self._is_idle(frame):
                continue
            thread = named.get(ident)
            timed = getattr(getattr(thread, "function", None), "__module__", "")  # of a threading.Timer
            begun = find_caller(frame, outermost=True) or str(timed)
            is_exempt_thread = getattr(thread, "name", "") == SERVER_THREAD or is_exempt(begun)
            if thread is threading.main_thread() or not is_exempt_thread:
                yield ident

    def _is_idle(self, frame: FrameType) -> bool:
        """Whether a thread does nothing there, and what it waits for has not come.

        On a busy machine a worker takes up its call, and a joining thread goes on, long after they could.
        """
        if frame.f_code is concurrent.futures.thread._worker.__code__:
            pool = frame.f_locals["executor_reference"]()
            return not (self._given or pool is None or pool._shutdown)  # then it wakes to end
        if frame.f_code in _JOINS:
            return bool(frame.f_locals["self"].is_alive())
        return frame.f_code in _IDLE

    def note_given(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The method `submit` of a pool, which notes the calls that no thread has taken up yet."""

        def submit(pool: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            if self._clock.over or is_server():
                return original(pool, function, *args, **kwargs)

            def begin(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                self._given.discard(begin)
                return function(*args, **kwargs)

            self._given.add(begin)
            future = original(pool, begin, *args, **kwargs)
            future.add_done_callback(lambda _: self._given.discard(begin))  # cancelled, it never begins
            return future

        return submit

    def count_calls(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The method `run_in_executor` of an event loop, which counts the calls that it has no result of yet."""

        def run(loop: Any, executor: Any, function: Callable[..., Any], *args: Any) -> Any:
            result = original(loop, executor, function, *args)
            if not self._clock.over and not is_server():
                self._calls.add(result)
                result.add_done_callback(self._calls.discard)
            return result

        return run

    def is_pool_working(self) -> bool:
        """Whether a call in a thread, as of `asyncio.to_thread`, is under way, and is in no wait."""
        pooled = [thread for thread in threading.enumerate() if thread.name.startswith("asyncio_")]
        waiting = sum(thread.ident in self._waits for thread in pooled)
        return len(self._calls) > waiting

    def _is_anyone_on_the_way(self) -> bool:
        """Whether a thread that is new, or has waited before, may soon wait for less than this one."""
        for ident in self._find_running():
            if ident in self._older and ident not in self._running_since:
                continue
            since = self._running_since.get(ident)
            if since is None:
                self._running_since[ident] = since = _real()
            if _real() - since < THRESHOLD:
                return True
        return False


def list_frames() -> dict[int, FrameType]:
    """The current frame of each thread.

    Without the collector: before Python 3.11.9, one that begins meanwhile lets another thread run, which waits
    forever for a lock that this one holds (gh-106883 of CPython).
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if collects:
            gc.enable()


def _begins_thread(frame: FrameType | None) -> bool:
    """Whether it is a thread's beginning that is waited for, which takes no time."""
    while frame is not None and frame.f_globals.get("__name__") == "threading":
        if frame.f_code is threading.Thread.start.__code__:
            return True
        frame = frame.f_back
    return False
