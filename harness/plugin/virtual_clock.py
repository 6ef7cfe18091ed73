"""A clock that jumps over sleeps: to the earliest deadline, once nothing else can run.

That is the one rule, as of trio's `MockClock`. trio knows all that runs in it. Here sleeps are in tasks of asyncio
or trio, in threads, or in both at once: `VirtualClock` decides for tasks, `ThreadWaits` for threads. Sleeps side
by side end in the order of their deadlines, and timers that are due before a sleep ends come first. Who computes
for long, or waits for what cannot be seen from here, such as a socket, can always run: after `THRESHOLD` real
seconds the clock jumps all the same.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from harness.plugin.session_server import begin_sleep, open_clocks, rest_servers
from harness.plugin.time_sources import find_caller, is_exempt, is_server

THRESHOLD = 2.0
"""Real seconds that a sleep waits for what seems to run, before the clock jumps over it; as trio's
`autojump_threshold`, but counted for one thread at a time, from its last wait.

Tasks and threads that sleep or wait are seen at once, so that most tests never come to it. What runs may compute,
and then sleep for less than this sleep does: with a smaller threshold it would be left behind on a busy machine.
Or it may wait for something that is not seen, such as a socket: it delays a test once by so much.
"""

_real = time.monotonic

_GLANCE = 0.0005
"""Real seconds between two looks at a server or a thread that is busy."""
_QUIET = 2  # turns of the loop: what a timer or a socket makes ready comes behind sleepers, so one is not enough

_DIGITS = 1
"""A timer that was set just before a sleep began is due a trifle earlier: services see whole tenths."""


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
            return original(loop) + (0.0 if self.over or is_server() else self.ahead)

        return read

    def now(self) -> float:
        """The monotonic time that the code under test sees."""
        return _real() + self.ahead

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

        Nothing else may be ready for `_QUIET` turns. A request to our own server and a call in a thread of a pool
        go on in real time until they end: a client whose request is on the way would find its time over. So then
        the servers must rest, with nothing new since the last look, and as many turns more must be quiet.
        """
        quiet, seen, patience = 0, None, _Patience()
        while quiet < 2 * _QUIET:
            steps = None if asyncio._get_running_loop() is not None else _OtherSteps()
            with steps or nullcontext():
                await pause(0)
            patience.note_turn()
            is_busy = _is_any_ready(len(here)) if steps is None else steps.taken
            quiet = 0 if here[0] != me or (is_busy and not patience.is_over) else quiet + 1
            if quiet == _QUIET:
                if patience.is_over:  # what never ends is left behind
                    return
                servers, end = rest_servers(), _real() + 10 * THRESHOLD
                while not all(server.done() for server in servers) and _real() < end:
                    await pause(_GLANCE)
                now = self.is_working(), [server.result() for server in servers if server.done()]
                if now != seen or now[0]:
                    quiet = 0
                if now != seen:
                    seen = now
                    patience.waited = 0.0  # something got on
                await pause(_GLANCE if now[0] else 0)


class _Patience:
    """How long one sleep waits for others: `THRESHOLD` while nothing gets on, and ten times as long in all."""

    def __init__(self) -> None:
        self._last = _real()
        self.waited = self._waited_in_all = 0.0

    def note_turn(self) -> None:
        """A turn of the loop has ended; a long step of a task in it is work, and no waiting."""
        turn, self._last = min(_real() - self._last, 40 * _GLANCE), _real()
        self.waited, self._waited_in_all = self.waited + turn, self._waited_in_all + turn

    @property
    def is_over(self) -> bool:
        """Whether the sleep waits for nothing any more."""
        return self.waited > THRESHOLD or self._waited_in_all > 10 * THRESHOLD


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
    """Suspend the running task while a service in this process is silent for `seconds`.

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
