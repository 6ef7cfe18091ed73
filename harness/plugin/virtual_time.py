"""Virtual time: sleeps are skipped, and the clocks of the code under test move by what was skipped.

One rule decides when a clock moves, that of trio's `MockClock`: it jumps to the earliest deadline once nothing
else can run. trio knows all that runs in it. Here sleeps are in tasks of asyncio or trio, in threads, or in both
at once, so two classes decide what can run: `VirtualClock` for tasks, `ThreadWaits` for threads. Sleeps side by
side end in the order of their deadlines, and timers that are due before a sleep ends come first. Who computes for
long, or waits for what cannot be seen from here, such as a socket, can always run: after `THRESHOLD` real seconds
the clock jumps all the same. pytest and its helpers, child processes and our own server keep the machine's time
(`is_exempt`).
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import datetime
import gc
import heapq
import inspect
import math
import queue
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from itertools import count
from math import inf
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from msgspec import Struct

from harness.outcome import UsageFault
from harness.outcome.words import format_count
from harness.plugin.blocking_calls import note_blocking
from harness.plugin.late_patches import Patch, patched_attributes
from harness.plugin.session_server import SERVER_THREAD, begin_sleep, open_clocks, rest_servers

THRESHOLD = 2.0
"""Real seconds that a sleep waits for a thread that runs, before the clock jumps over it; as trio's
`autojump_threshold`, but counted for one thread at a time, from its last wait.

Threads that sleep or wait are seen at once, so that most tests never come to it. What runs may compute, and then
sleep for less than this sleep does: with a smaller threshold it would be left behind on a busy machine. Or it may
wait for something that is not seen, such as a socket: it delays a test once by so much.
"""

_GLANCE = 0.0005
"""Real seconds between two looks at a server or a thread that is busy."""

_DIGITS = 1
"""A timer that was set just before a sleep began is due a trifle earlier: services see whole tenths."""


# Skip and count sleeps: `time.sleep`, `asyncio.sleep`, `anyio.sleep` and `trio.sleep`; the clock moves instead.
# A loop that polls every five seconds then runs at once, and the test can still see how long it would have
# slept. Modules that imported the functions by name are patched too. Our server thread still sleeps.


_PLACES = ("time", "asyncio", "asyncio.tasks", "anyio", "anyio._core._eventloop", "trio", "trio._timeouts")
_COUNTS = ("monotonic", "time", "perf_counter", "monotonic_ns", "time_ns", "perf_counter_ns")
_PARTS = ("gmtime", "localtime", "ctime")

NAMES = (*_COUNTS, *_PARTS, "strftime", "_time", "datetime")
"""The names under which modules have them; `threading` has `monotonic` as `_time`, `queue` as `time`."""

_NAMES = frozenset({"sleep", *NAMES})


class Sleeps(list[float]):
    """The seconds of each skipped sleep, in the order of their ends; of one cut short, those that it slept."""

    @property
    def total(self) -> float:
        """The seconds that the code under test would have slept, added up; side by side, more than have passed."""
        return sum(self)

    def assert_total(self, *exact: float, at_most: float = float("inf"), at_least: float = 0.0) -> None:
        """Assert that the total of the skipped sleeps, in seconds, is within these bounds. Raises UsageFault."""
        __tracebackhide__ = True
        if exact:
            raise UsageFault(f"assert_total takes bounds by name: at_least={exact[0]!r}, at_most={exact[0]!r}")
        if not at_least <= self.total <= at_most:
            shown = ", ".join(f"{seconds:g}" for seconds in self[:12]) + (" …" if len(self) > 12 else "")
            raise AssertionError(
                f"the code under test slept {self.total:g} s in {format_count(len(self), 'sleep')} "
                f"({shown or 'none'}); "
                f"expected at {f'most {at_most:g}' if self.total > at_most else f'least {at_least:g}'} s"
            )


def _find_sleeps() -> set[Any]:
    """The functions that sleep, of all libraries that are imported."""
    return {sleep for home in _PLACES if (sleep := getattr(sys.modules.get(home), "sleep", None)) is not None}


@contextmanager
def no_sleep() -> Iterator[Sleeps]:
    """Skip sleeps until the block ends; yield the record of them. Clocks move by what was skipped."""
    sleeps, clock = Sleeps(), VirtualClock()
    waits = ThreadWaits(clock, sleeps.append)
    clock.is_working = waits.is_pool_working
    replacements = dict(shifted_readings(clock))
    for sleep in _find_sleeps():
        is_async = inspect.iscoroutinefunction(sleep)
        replacements[sleep] = _skip_async(sleep, sleeps, clock) if is_async else _skip(sleep, clock, waits)
    pools = concurrent.futures.ThreadPoolExecutor
    methods: list[Patch] = [
        (threading.Condition, "wait", waits.replacement()),
        (pools, "submit", waits.note_given(pools.submit)),
    ]
    loops: list[Any] = [asyncio.BaseEventLoop]
    if (loop := getattr(sys.modules.get("uvloop"), "Loop", None)) is not None:
        methods.append((loop, "time", clock.shift_method(loop.time)))
        loops.append(loop)
    methods += [(loop, "run_in_executor", waits.count_calls(loop.run_in_executor)) for loop in loops]
    _replace(replacements, spares=is_exempt)
    open_clocks.append(clock)
    try:
        with patched_attributes(methods):
            yield sleeps
    finally:
        open_clocks.remove(clock)
        clock.over = True
        _replace({new: original for original, new in replacements.items()})  # also in modules imported meanwhile


def _replace(replacements: Mapping[Any, Any], spares: Callable[[str], bool] = lambda module: False) -> None:
    """Replace functions and classes in each module that has one by its own name; sleeps even in those `spares`."""
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        for name in names.keys() & _NAMES:
            try:
                replacement = replacements.get(names[name])
            except TypeError:  # an unhashable object of that name
                continue
            if replacement is not None and (name == "sleep" or not spares(str(names.get("__name__")))):
                setattr(module, name, replacement)


def _skip(original: Callable[[float], None], clock: VirtualClock, waits: ThreadWaits) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        if clock.over or _is_real(seconds) or find_caller().partition(".")[0] in CHILDREN:
            return original(seconds)
        if seconds > 0:
            instead = f"Write `await asyncio.sleep({seconds:g})`."
            note_blocking(f"`time.sleep({seconds:g})`", instead, is_sleep=True)
            waits.sleep(seconds)
        return original(0 if seconds >= 0 else seconds)

    return sleep


def _skip_async(original: Callable[..., Any], sleeps: Sleeps, clock: VirtualClock) -> Callable[..., Any]:
    signature = inspect.signature(original)
    named = next(iter(signature.parameters))  # asyncio and anyio call it `delay`, trio `seconds`

    async def sleep(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        seconds = given[named]
        if clock.over or _is_real(seconds) or seconds <= 0:
            return await original(**given)
        begin = clock.now()
        try:
            await clock.sleep(seconds, original)
        except BaseException:  # cancelled, as by a timeout
            if slept := min(seconds, clock.measure_sleep(begin)):
                sleeps.append(slept)
            raise
        sleeps.append(seconds)
        return given.get("result")  # at once: who sleeps for longer must not be before the code that goes on

    return sleep


def _is_real(seconds: float) -> bool:
    """Whether a sleep must not be skipped: our own server's, or an infinite one (`anyio.sleep_forever`)."""
    return seconds == math.inf or threading.current_thread().name == SERVER_THREAD


class VirtualClock:
    """The machine's clocks, ahead by the seconds of all skipped sleeps."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.moved: Callable[[float], object] = lambda seconds: None
        """Called with the seconds of each move."""
        self._reached = 0.0
        self.is_working: Callable[[], bool] = lambda: False
        """Whether a call in a thread of a pool is under way."""
        self.over = False
        """Whether the block has ended; a function that somebody keeps then shows the machine's time."""
        self._real = time.monotonic
        self._lock = threading.Lock()
        self._numbers = count()
        self._sleeping: dict[int, list[tuple[float, int]]] = {}

    def seen_ahead(self) -> float:
        """By how many seconds the time is ahead for the module that asks for it."""
        # Nothing to hide before the first skipped sleep, so that no search is needed.
        return 0.0 if self.over or not self.ahead or is_exempt(find_caller()) else self.ahead

    def shift_method(self, original: Callable[[Any], float]) -> Callable[[Any], float]:
        """An event loop's `time` that is ahead by the virtual time, as the patched clocks are."""

        def read(loop: Any) -> float:
            return original(loop) + (0.0 if self.over or _is_server() else self.ahead)

        return read

    def now(self) -> float:
        """The monotonic time that the code under test sees."""
        return self._real() + self.ahead

    def reach(self, moment: float) -> None:
        """Move on to a moment, unless it has passed."""
        with self._lock:
            step = max(0.0, moment - self.now())
            self.ahead += step
            self._reached = max(self._reached, moment)
            self.moved(step)

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
        is_asyncio = asyncio._get_running_loop() is not None
        pause = _pause if is_asyncio else pause  # the sleep of anyio is made of one that is skipped
        task: Any = asyncio.current_task() if is_asyncio else sys.modules["trio"].lowlevel.current_task()
        ASLEEP.add(task)
        try:
            await self._let_others_run(me, here, pause)
            while (due := _find_timer(self.now(), me[0])) is not None:
                self.reach(due)
                pass_time(round(due - begin, _DIGITS))
                await self._let_others_run(me, here, pause)
            self.reach(me[0])
            pass_time(seconds)
        finally:
            ASLEEP.discard(task)
            here.remove(me)
            heapq.heapify(here)

    async def _let_others_run(
        self, me: tuple[float, int], here: list[tuple[float, int]], pause: Callable[[float], Awaitable[Any]]
    ) -> None:
        """Return once this sleep is the next to end, and whatever else runs waits for it.

        Nothing else may be ready for a whole turn of the loop: what a timer or a socket makes ready comes behind
        the sleepers. A request to our own server, and a call in a thread of a pool, go on in real time until they
        have ended: a client whose request is on the way would find its time over. What never ends is left behind.
        """
        is_quiet, before, at_rest = False, None, False
        waited, waited_in_all, last = 0.0, 0.0, self._real()
        while True:
            steps = None if asyncio._get_running_loop() is not None else _OtherSteps()
            with steps or nullcontext():
                await pause(0)
            turn, last = min(self._real() - last, 4 * _SLICE), self._real()  # a long step is no waiting
            waited, waited_in_all = waited + turn, waited_in_all + turn
            is_late = waited > THRESHOLD or waited_in_all > 10 * THRESHOLD
            is_busy = _is_any_ready(len(here)) if steps is None else steps.taken
            if here[0] != me or (is_busy and not is_late):
                is_quiet = at_rest = False
            elif not is_quiet:
                is_quiet = True
            elif at_rest or is_late:
                return
            else:
                servers, is_quiet = rest_servers(), False
                while not all(server.done() for server in servers) and self._real() - last < 10 * THRESHOLD:
                    await pause(_GLANCE)
                seen = self.is_working(), [server.result() for server in servers if server.done()]
                at_rest = seen == before and not seen[0]  # if nothing goes on in the next turns, either
                if seen != before:
                    before, waited = seen, 0.0
                await pause(_GLANCE if seen[0] else 0)


def _is_any_ready(sleepers: int) -> bool:
    """Whether a step or a callback of the running asyncio loop is due, beside those of sleepers, which always are.

    uvloop has no such list to see. There a task counts that waits for nothing, or for what has come.
    """
    loop = asyncio.get_running_loop()
    if (ready := getattr(loop, "_ready", None)) is not None:
        return len(ready) >= sleepers
    waiting = ((task, getattr(task, "_fut_waiter", None)) for task in asyncio.all_tasks(loop))
    return any(task not in ASLEEP and (future is None or future.done()) for task, future in waiting)


class _OtherSteps:
    """An instrument of trio: whether a task that is not asleep takes a step within the block.

    Its statistics do not tell: each turn runs its tasks in a random order, and counts those alone that have run.
    """

    taken = False

    def __enter__(self) -> None:
        sys.modules["trio"].lowlevel.add_instrument(self)

    def __exit__(self, *error: object) -> None:
        sys.modules["trio"].lowlevel.remove_instrument(self)

    def before_task_step(self, task: Any) -> None:
        """Note a step."""
        self.taken = self.taken or task not in ASLEEP


def _find_timer(now: float, wake: float) -> float | None:
    """The moment of the earliest timer after `now` and before `wake`; None if there is none, or no way to know."""
    loop = asyncio._get_running_loop()
    if loop is None:
        left = sys.modules["trio"].lowlevel.current_statistics().seconds_to_next_deadline
        return now + left if 0 < left < wake - now else None
    moments = [handle.when() for handle in list(getattr(loop, "_scheduled", ())) if not handle.cancelled()]
    return min((moment for moment in moments if now < moment < wake), default=None)


ASLEEP: WeakSet[Any] = WeakSet()
"""The tasks in a sleep of a virtual clock; they ask again and again whether all others are waiting."""

_loop_clocks: WeakKeyDictionary[Any, VirtualClock] = WeakKeyDictionary()
"""For each event loop in which a service was silent while no sleep was skipped: what tells its time since."""

_pause = asyncio.sleep


async def pass_silence(seconds: float) -> None:
    """Suspend the running task while a service in this process is silent for so many seconds.

    Other tasks run meanwhile, and timers that are due before are not late. The loop's clock moves instead of
    waiting; where sleeps are skipped, all clocks do.
    """
    loop = asyncio._get_running_loop()
    owner: Any = sys.modules["trio"].lowlevel.current_clock() if loop is None else loop
    if not open_clocks and owner not in _loop_clocks:
        _loop_clocks[owner] = clock = VirtualClock()
        if loop is not None:
            tell = loop.time
            with suppress(AttributeError):  # uvloop's time cannot be moved for one loop, nor its timers be seen
                loop.time = lambda: tell() + clock.ahead  # type: ignore[method-assign]
        elif hasattr(owner, "offset"):  # trio's own clock, which is frozen
            clock.moved = lambda step: object.__setattr__(owner, "offset", owner.offset + step)

    async def pause(seconds: float) -> None:
        await (sys.modules["trio"].lowlevel.checkpoint() if loop is None else _pause(seconds))

    await (open_clocks[-1] if open_clocks else _loop_clocks[owner]).sleep(seconds, pause)


# Waits of threads on a virtual clock: `time.sleep`, and `threading.Condition.wait` with all that is made of it.
# `Event.wait(5)` or `queue.get(timeout=5)` is a sleep that another thread may end. So it is over at once if no
# other thread is left that could: all of them wait, too, and for longer. While one runs, it waits as ever, but
# not beyond its deadline on the virtual clock. Sleeps and waits side by side end in the order of their
# deadlines.


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
            if self._clock.over or threading.current_thread().name == SERVER_THREAD:
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
            if not self._clock.over and threading.current_thread().name != SERVER_THREAD:
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


# The sources of the time, with a virtual clock: functions of `time`, and the class `datetime.datetime`.
# Values are the library's own; only the name `datetime.datetime` means another class for a while, which passes
# for the real one in tests of types, as a key, and in models of pydantic.


_REAL = datetime.datetime


def shifted_readings(clock: VirtualClock) -> Iterator[tuple[Any, Any]]:
    """(original, replacement) for each function and class that returns the time; `date.today` calls one."""
    machine = time.time

    def now() -> float:
        return machine() + clock.seen_ahead()

    def shift_count(original: Callable[[], Any], unit: int) -> Callable[[], Any]:
        kind = type(original())
        return lambda: original() + kind(clock.seen_ahead() * unit)

    def shift_parts(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda seconds=None, /: original(now() if seconds is None else seconds)

    write, split = time.strftime, time.localtime
    for name in _COUNTS:
        original = getattr(time, name)
        yield original, shift_count(original, 10**9 if name.endswith("_ns") else 1)
    for name in _PARTS:
        original = getattr(time, name)
        yield original, shift_parts(original)
    yield write, lambda form, *parts: write(form, *(parts or [split(now())]))
    yield datetime.datetime, _shift_datetime(now)


class _Alike(type):
    """Makes a class pass for `datetime.datetime`; classes derived from it are as any other."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _REAL) if cls.__base__ is _REAL else super().__instancecheck__(value)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, _REAL) if cls.__base__ is _REAL else super().__subclasscheck__(other)

    def __eq__(cls, other: object) -> bool:
        return cls is other or (cls.__base__ is _REAL and other is _REAL)

    def __hash__(cls) -> int:
        return hash(_REAL) if cls.__base__ is _REAL else super().__hash__()


def _shift_datetime(now: Callable[[], float]) -> type:
    shifted_now = now  # the class has a `now` of its own

    class Shifted(_REAL, metaclass=_Alike):
        def __new__(cls, *fields: Any, **named: Any) -> Any:
            return _REAL.__new__(_REAL if cls is Shifted else cls, *fields, **named)

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(shifted_now(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(shifted_now(), datetime.UTC).replace(tzinfo=None)

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
            return handler(_REAL)

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Shifted, name, getattr(_REAL, name))
    return Shifted


_TOOLS = ("_pytest", "pytest", "pluggy", "xdist", "execnet", "hypothesis", "faulthandler", "pytest_timeout")
CHILDREN = frozenset({"subprocess", "multiprocessing"})
"""Modules that wait for other processes, which cannot be hurried."""

_EXEMPT = frozenset({*_TOOLS, *CHILDREN})
_OWN = ("harness.plugin.", "harness.transport.", "harness.benches.")
_PASSING = frozenset({"threading", "queue", "concurrent.futures._base", "concurrent.futures.thread", __name__})
"""Modules that wait, or ask for the time, on behalf of others."""


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


# Sleeps that are not skipped, for a service that asks whether its reader polls without an end.


@contextmanager
def reporting_sleeps(tell: Callable[[float], object]) -> Iterator[None]:
    """Call `tell`, which may raise, with the seconds of each real sleep before it begins, while the block runs.

    Where sleeps are skipped there is nothing to tell.
    """
    if open_clocks:
        yield
        return
    active = [True]

    def pass_on(seconds: float) -> None:
        if active and 0 < seconds < inf and not is_exempt(find_caller()):
            tell(seconds)

    replacements = {sleep: _telling(sleep, pass_on) for sleep in _find_sleeps()}
    _replace(replacements)
    try:
        yield
    finally:
        active.clear()
        _replace({new: original for original, new in replacements.items()})


def _telling(original: Callable[..., Any], tell: Callable[[float], object]) -> Callable[..., Any]:
    """A sleep, of a thread or of a coroutine, that is reported before it begins."""
    named = next(iter(inspect.signature(original).parameters)) if inspect.iscoroutinefunction(original) else ""

    def sleep(*args: Any, **kwargs: Any) -> Any:
        tell(args[0] if args else kwargs.get(named, 0.0))
        return original(*args, **kwargs)

    async def suspend(*args: Any, **kwargs: Any) -> Any:
        return await sleep(*args, **kwargs)

    return suspend if named else sleep
