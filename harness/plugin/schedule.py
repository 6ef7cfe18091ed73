"""A seeded scheduler: which of the tasks that are ready goes on is drawn, as the network draws it in production.

Races then show up, and the seed repeats them. Only the steps of tasks are drawn; callbacks of the loop keep their
order, and a task that sleeps goes on when no other can. The results of threads arrive in the order of their calls:
otherwise a seed would repeat nothing where a library uses `to_thread`, as google-genai does. Calls that block the
loop and tasks that are left behind fail the test.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Annotated, Any, TypedDict
from weakref import WeakKeyDictionary

from msgspec import Meta

from harness.errors import LeftBehindWarning
from harness.outcome import UsageFault
from harness.plugin.blocking_calls import LeftTasks, collected_calls
from harness.plugin.late_patches import patched_attributes
from harness.plugin.virtual_clock import ASLEEP, THRESHOLD

NAME = "interactions_schedule"
"""The fixture, and the marker that configures it."""


_real = time.monotonic


@dataclass(frozen=True, slots=True)
class ScheduleSeed:
    """The parameter of one test."""

    number: int

    def __str__(self) -> str:
        return f"seed={self.number}"


class MarkerOptions(TypedDict, total=False):
    """The options of the marker: how many seeds, or one alone."""

    seeds: Annotated[int, Meta(ge=1)]
    seed: Annotated[int, Meta(ge=0)]


def list_cases(definition: Any, first: int = 0) -> list[ScheduleSeed]:
    """The seeds that a test's marker asks for. Raises UsageFault if it has both `seeds` and `seed`."""
    marker = definition.get_closest_marker(NAME)
    options: MarkerOptions = marker.kwargs if marker is not None else {}
    if len(options) > 1:
        raise UsageFault(f"{NAME} takes one option: seeds=20, or seed=17 for this one alone")
    if "seed" in options:
        return [ScheduleSeed(options["seed"])]
    return [ScheduleSeed(first + number) for number in range(options.get("seeds", 10))]


class TaskSchedule:
    """Draws the order of tasks within `with schedule.draw():`; `seed` repeats it."""

    def __init__(self, seed: int = 0, nodeid: str = "") -> None:
        self.seed = seed
        self._nodeid = nodeid
        self._random = random.Random(seed)
        self._rounds = 0
        """How often tasks of a loop went on."""
        self._tasks: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()
        self._jobs: list[_Job] = []
        self._left = LeftTasks()
        self._blocking: dict[str, None] = {}

    @contextmanager
    def draw(self) -> Iterator[TaskSchedule]:
        """Draw the order of tasks in every loop of asyncio, while the block runs."""
        run_once = asyncio.BaseEventLoop._run_once  # type: ignore[attr-defined]
        run_in_executor = asyncio.BaseEventLoop.run_in_executor

        def run_drawn_once(loop: Any) -> None:
            self._left.add_loop(loop)
            self._jobs = [job for job in self._jobs if not job.deliver(loop)]
            held = self._choose(loop._ready)
            try:
                run_once(loop)
            finally:
                loop._ready.extendleft(reversed(held))

        def run_job(loop: Any, executor: Any, function: Callable[..., Any], *args: Any) -> Any:
            self._jobs.append(job := _Job(loop, lambda: function(*args)))
            run_in_executor(loop, executor, job.run)
            return job.future

        loops = asyncio.BaseEventLoop
        patches = [(loops, "_run_once", run_drawn_once), (loops, "run_in_executor", run_job)]
        with patched_attributes(patches), collected_calls() as self._blocking, self._left.watch():
            yield self

    def _choose(self, ready: deque[Any]) -> list[Any]:
        """Choose which of the ready tasks take a step, and in which order; return the handles of the others."""
        known = [ready.popleft() for _ in range(len(ready))]  # other threads may append at any time
        steps = [handle for handle in known if _task_of(handle) is not None]
        for handle in steps:
            self._tasks.setdefault(_task_of(handle), len(self._tasks))  # type: ignore[arg-type]
        self._rounds += len(steps)
        if len(steps) < 2:
            ready.extendleft(reversed(known))
            return []
        awake = [handle for handle in steps if _task_of(handle) not in ASLEEP] or steps
        awake.sort(key=lambda handle: self._tasks[_task_of(handle)])  # type: ignore[index]
        chosen = self._random.sample(awake, self._random.randint(1, len(awake)))
        places = {id(handle): place for place, handle in enumerate(chosen)}
        order: list[Any] = []
        # A step never overtakes a callback: asyncio's own ones clean up after what the task has waited for.
        for is_step, handles in groupby(known, key=lambda handle: _task_of(handle) is not None):
            among = [handle for handle in handles if not is_step or id(handle) in places]
            order += sorted(among, key=lambda handle: places[id(handle)]) if is_step else among
        ready.extendleft(reversed(order))
        return [handle for handle in steps if id(handle) not in places]

    def find_complaints(self) -> Iterator[str | Warning]:
        """The reasons to fail a test that has passed: a blocking call, no draw at all, a task that still runs."""
        yield from self._blocking
        if not self._rounds:
            yield (
                f"{NAME} drew nothing: no task ran in an event loop of asyncio. Run the code under test in a "
                "coroutine (`async def test_…`, `asyncio.run`); the order of uvloop and trio cannot be drawn"
            )
        yield from map(LeftBehindWarning, self._left.describe())

    def format_context(self) -> str:
        """The option that repeats the order in which a test failed."""
        lines = [
            *self._blocking,
            f"tasks were drawn with seed {self.seed}",
            f"  this one again:  pytest '{self._nodeid}'",
        ]
        return "\n".join(lines if self._nodeid else lines[:-1])


@dataclass(eq=False)
class _Job:
    """A call in a thread, whose result a task awaits."""

    loop: Any
    function: Callable[[], Any]
    future: asyncio.Future[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.future = self.loop.create_future()
        self._done = threading.Event()
        self._until = _real() + THRESHOLD  # a result that takes longer arrives when it does
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Call the function, in the thread."""
        try:
            self._result = self.function()
        except BaseException as error:
            self._error = error
        self._done.set()
        with suppress(RuntimeError):  # the loop is closed: no task awaits the result
            self.loop.call_soon_threadsafe(lambda: None)

    def deliver(self, loop: Any) -> bool:
        """Give the result to the task that awaits it, in its own loop; return whether nothing is left to do."""
        if loop is not self.loop:
            return bool(self.loop.is_closed())
        if not self._done.wait(max(0.0, self._until - _real())):
            return False
        if not self.future.done():
            if self._error is None:
                self.future.set_result(self._result)
            else:
                self.future.set_exception(self._error)
        return True


def _task_of(handle: Any) -> asyncio.Task[Any] | None:
    """The task whose step a handle of a loop is; None for any other callback."""
    owner = getattr(handle._callback, "__self__", None)
    return owner if isinstance(owner, asyncio.Task) else None
