"""Holds back Ctrl-C while a request is under way whose answer says what has to be deleted later.

Layer 4. An interrupt between a create and its answer would leave behind something that nobody knows of.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any

from harness.wire import Request

_GRACE = 2.0
"""Seconds that the answer gets once somebody has interrupted."""

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


def hold_interrupts(*requests: Request) -> AbstractContextManager[None]:
    """Let an interrupt take effect when requests that may create something have been answered and noted.

    It takes effect after `_GRACE` seconds at the latest, and at once if it comes again. Python interrupts nothing
    but the main thread, so in others there is nothing to hold back.
    """
    return hold_all() if any(request.method == "POST" for request in requests) else nullcontext()


@contextmanager
def hold_all() -> Iterator[None]:
    """Let an interrupt take effect at the end of the block, when what it started has an owner that ends it."""
    held = _held_handlers()
    if not held:
        yield
        return
    came: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        _disarm()
        came.clear()
        held[number](number, frame)

    def hold(number: int, frame: FrameType | None) -> None:
        if came:
            pass_on(number, frame)
        came.append(number)
        _arm(lambda _, frame: pass_on(number, frame))

    for number in held:
        signal.signal(number, hold)
    try:
        yield
    finally:
        _disarm()
        for number, handler in held.items():
            signal.signal(number, handler)
        if came:
            held[came[0]](came[0], None)


def _held_handlers() -> dict[int, Callable[[int, FrameType | None], Any]]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in _NUMBERS}
    return {number: handler for number, handler in handlers.items() if callable(handler)}


def _arm(end: Callable[[int, FrameType | None], None]) -> None:
    """Have `end` called when the grace is over, where the system has timers that nobody else uses."""
    if hasattr(signal, "setitimer") and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL:
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, _GRACE)


def _disarm() -> None:
    """Take back what `_arm` did, and leave the timer of anybody else alone."""
    if hasattr(signal, "setitimer") and getattr(signal.getsignal(signal.SIGALRM), "__module__", "") == __name__:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
