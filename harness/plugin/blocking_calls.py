"""Notes calls that block an event loop, and tasks that are left behind when it ends.

A call that blocks is a sleep, a wait or a request of a synchronous client in a coroutine.

While such a call runs, no other task of the loop does, and no timeout fires. A call of the test function itself is
not noted: it prepares or checks something. Neither is a call in a fixture.
"""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import WeakSet

from harness.errors import BlockingCallWarning
from harness.plugin.late_patches import Patch, patched_modules

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


def note_blocking(what: str, instead: str, *, is_sleep: bool = False) -> None:
    """Note a call that blocks the event loop it is made in; `instead` is what to write in its place.

    Without a collector of notes, a sleep is a warning: other calls may be short, or alone in their loop.
    """
    trio = sys.modules.get("trio")
    is_running = find_asyncio_loop() is not None or (trio is not None and bool(trio.lowlevel.in_trio_run()))
    if not is_running or (frame := _find_user_frame()) is None:
        return
    code = frame.f_code
    place = f"{Path(code.co_filename).name}:{frame.f_lineno}, in `{code.co_name}`"
    message = (
        f"{what} blocks the event loop ({place}): no other task runs meanwhile, and no timeout fires. {instead}"
    )
    if _listeners:
        _listeners[-1][message] = None
    elif is_sleep:
        warnings.warn_explicit(message, BlockingCallWarning, code.co_filename, frame.f_lineno)


class LeftTasks:
    """The application's tasks that still run when a loop or the test ends."""

    def __init__(self, note_end: Callable[[Any], object] = lambda loop: None) -> None:
        self._note_end = note_end  # called with a loop that ends, before it closes what is open
        self._loops: WeakSet[Any] = WeakSet()
        self._left: dict[str, None] = {}

    def add_loop(self, loop: Any) -> None:
        """Add a loop, whose tasks are looked at when the test has ended."""
        with suppress(TypeError):  # a loop that takes no weak reference
            self._loops.add(loop)

    def watch(self) -> AbstractContextManager[None]:
        """Note what runs in each loop of asyncio that ends while the block runs."""

        def find_patches(runners: Any) -> Iterator[Patch]:
            cancel_all = runners._cancel_all_tasks

            def cancel_noted(loop: Any) -> None:
                import asyncio

                self._note(loop)
                cancel_all(loop)
                # What was let go of is closed by the loop itself, in turns of its own; some callbacks never end.
                for _ in range(1000):
                    loop.run_until_complete(asyncio.sleep(0))
                    if not getattr(loop, "_ready", ()) and all(map(_is_waiting, asyncio.all_tasks(loop))):
                        break
                self._note_end(loop)

            yield runners, "_cancel_all_tasks", cancel_noted

        return patched_modules(_RUNNERS, find_patches)

    def _note(self, loop: Any) -> None:
        import asyncio

        for task in asyncio.all_tasks(loop):
            code = getattr(task.get_coro(), "cr_code", None)
            if code is not None and is_user_file(code.co_filename):
                name = f"the task `{code.co_name}` ({Path(code.co_filename).name}:{code.co_firstlineno})"
                advice = "Cancel it and await it, or start it in an `asyncio.TaskGroup`"
                self._left[f"{name} still ran when the test had ended: no other task awaits it. {advice}"] = None

    def describe(self) -> Iterator[str]:
        """Each task that was left, with what to do, in a sentence."""
        for loop in self._loops:
            if not loop.is_closed():
                self._note(loop)
        yield from self._left


def _is_waiting(task: Any) -> bool:
    """Whether a task awaits something: uvloop does not show the list of what is ready."""
    return getattr(task, "_fut_waiter", task) is not None


def find_asyncio_loop() -> Any:
    """The loop of asyncio that runs in this thread, None if there is none; asyncio is not imported for this."""
    find: Any = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)  # another thread may import it now
    return find and find()


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
