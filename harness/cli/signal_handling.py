"""Handles the signals that end a command: one mechanism for all commands.

Must not know what is ended.
"""

from __future__ import annotations

import signal
import sys
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

INTERRUPT = signal.SIGINT
ENDING = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""The signals that service managers and closing terminals send."""

_HAS_THREAD_KILL = hasattr(signal, "pthread_kill")


@contextmanager
def handle_signals(act: Callable[[int], object], *numbers: int) -> Iterator[None]:
    """Call `act` with each of these signals that arrives before the block ends.

    An ignored SIGHUP stays ignored: that is what `nohup` is for.
    """
    before = {}

    def handle_signal(number: int, frame: FrameType | None) -> None:
        act(number)

    for number in numbers:
        if number in ENDING[1:] and signal.getsignal(number) is signal.SIG_IGN:
            continue
        before[number] = signal.signal(number, handle_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending_as_interrupted() -> Iterator[None]:
    """Unwind the block as for Ctrl-C if a signal stops an unattended run, so that nothing it started is left."""

    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    with handle_signals(interrupt, *ENDING), _repeating_lost_interrupts():
        yield


@contextmanager
def _repeating_lost_interrupts() -> Iterator[None]:
    """Interrupt once more if Python drops an interrupt, as where it comes while garbage is collected."""
    before = sys.unraisablehook

    def hear(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)
            return
        from threading import Timer, main_thread

        # Not from here: where the first one was lost, a second one would be, too. A real one, to end a wait.
        send = partial(signal.pthread_kill, main_thread().ident or 0) if _HAS_THREAD_KILL else interrupt_main
        again = Timer(0.05, send, (signal.SIGTERM,))
        again.daemon = True
        again.start()

    sys.unraisablehook = hear
    try:
        yield
    finally:
        sys.unraisablehook = before
