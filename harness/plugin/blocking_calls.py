"""Notes calls that block an event loop, and tasks that are left behind when it ends.

A call that blocks is a sleep, a wait or a request of a synchronous client in a coroutine.

Layer 7. While such a call runs, no other task of the loop does, and no timeout fires. A call of the test function
itself is not noted: it prepares or checks something. Neither is a call in a fixture. A warning can be an error, so
it needs more than a note: it spares calls in a test's file, except sleeps of its coroutines, and, except for
sleeps, calls that kept no task waiting.
"""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from harness.errors import BlockingCallWarning
from harness.plugin.late_patches import patched_modules

if TYPE_CHECKING:
    import asyncio

_RUNNERS = frozenset({"asyncio.runners"})
_OURS = str(Path(__file__).parents[1])
_LOOPS = ("asyncio.events", "asyncio.runners", "asyncio.base_events", "trio._core._run")
_COROUTINE = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR

_listeners: list[dict[str, None]] = []
"""Who collects notes, the latest last; without one, a note is a warning."""


@contextmanager
def collected_calls() -> Iterator[dict[str, None]]:
    """Collect what blocks a loop while the block runs, in sentences, instead of warning of it."""
    found: dict[str, None] = {}
    _listeners.append(found)
    try:
        yield found
    finally:
        _listeners.remove(found)


def note_blocking(what: str, instead: str, *, always: bool = False) -> None:
    """Note a call that blocks the event loop it is made in; `instead` is what to write in its place.

    A warning is issued only if another task was ready to go on, or `always`, as for a sleep.
    """
    if not _is_loop_running() or (frame := _find_user_frame()) is None:
        return
    code = frame.f_code
    place = f"{Path(code.co_filename).name}:{frame.f_lineno}, in `{code.co_name}`"
    message = (
        f"{what} blocks the event loop ({place}): no other task runs meanwhile, and no timeout fires. {instead}"
    )
    if _listeners:
        _listeners[-1][message] = None
    elif _may_warn(frame, always=always):
        warnings.warn_explicit(message, BlockingCallWarning, code.co_filename, frame.f_lineno)


def _may_warn(frame: FrameType, *, always: bool) -> bool:
    """Whether a call whose result is not collected is worth a warning."""
    code = frame.f_code
    if always and code.co_flags & _COROUTINE:  # in a test's file, too: agents are written there, and could await
        return True
    return not _is_test_file(code.co_filename) and (always or _is_task_ready())


class LeftTasks:
    """The application's tasks that still run when a loop or the test ends."""

    def __init__(self) -> None:
        self._loops: WeakSet[Any] = WeakSet()
        self._left: dict[str, None] = {}

    def add_loop(self, loop: Any) -> None:
        """Look at the tasks of a loop when the test has ended."""
        with suppress(TypeError):  # a loop that takes no weak reference
            self._loops.add(loop)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Note what runs in each loop of asyncio that ends while the block runs."""
        changed: list[tuple[Any, Any]] = []

        def patch(runners: Any) -> None:
            cancel_all = runners._cancel_all_tasks
            changed.append((runners, cancel_all))

            def cancel_noted(loop: Any) -> None:
                self._note(loop)
                cancel_all(loop)

            runners._cancel_all_tasks = cancel_noted

        try:
            with patched_modules(_RUNNERS, patch):
                yield
        finally:
            for runners, cancel_all in changed:
                runners._cancel_all_tasks = cancel_all

    def _note(self, loop: Any) -> None:
        import asyncio

        for task in asyncio.all_tasks(loop):
            if (name := _name_task(task)) is not None:
                advice = "Cancel it and await it, or start it in an `asyncio.TaskGroup`"
                self._left[f"{name} still ran when the test had ended: no other task awaits it. {advice}"] = None

    def describe(self) -> Iterator[str]:
        """Each task that was left, with what to do, in a sentence."""
        for loop in self._loops:
            if not loop.is_closed():
                self._note(loop)
        yield from self._left


def _name_task(task: asyncio.Task[Any]) -> str | None:
    """A task of the application by its coroutine; None for one of a library."""
    code = getattr(task.get_coro(), "cr_code", None)
    if code is None or not is_user_file(code.co_filename):
        return None
    return f"the task `{code.co_name}` ({Path(code.co_filename).name}:{code.co_firstlineno})"


def find_asyncio_loop() -> Any:
    """The loop of asyncio that runs in this thread, None if there is none; asyncio is not imported for this."""
    find: Any = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)  # another thread may import it now
    return find and find()


def _is_loop_running() -> bool:
    if find_asyncio_loop() is not None:
        return True
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


def _is_task_ready() -> bool:
    """Whether another task of the running loop could go on now."""
    import asyncio

    if asyncio._get_running_loop() is None:
        return bool(sys.modules["trio"].lowlevel.current_statistics().tasks_runnable)
    waiting = [getattr(task, "_fut_waiter", None) for task in asyncio.all_tasks() - {asyncio.current_task()}]
    return any(future is None or future.done() for future in waiting)


def _is_test_file(filename: str) -> bool:
    """Whether a file is that of the test that runs, or a conftest.py."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
    return Path(filename).name in (Path(test).name, "conftest.py")


@cache
def _list_libraries() -> tuple[str, ...]:
    import sysconfig  # late: it reads how this Python was built

    return tuple({*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))})


def is_user_file(filename: str) -> bool:
    """Whether a file belongs to the application or its tests, not to a library or to us."""
    return not filename.startswith((*_list_libraries(), _OURS, "<"))


def _find_user_frame() -> FrameType | None:
    """The innermost frame of the application that the loop has called; None for none, or for the test function.

    A loop can run in this thread without having called anything: Playwright's sync API keeps it in a greenlet.
    """
    test, _, phase = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")
    if phase not in ("", "(call)"):
        return None
    found: FrameType | None = None
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") not in _LOOPS:
        if found is None and is_user_file(frame.f_code.co_filename):
            found = frame
        if found is not None and frame.f_code.co_flags & _COROUTINE:
            break
        frame = frame.f_back
    if frame is None or found is None or found.f_code.co_name == test.rpartition("::")[2].partition("[")[0]:
        return None
    return found
