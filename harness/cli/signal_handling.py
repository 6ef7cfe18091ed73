"""Handles the signals that end a command: one mechanism for all commands.

Layer 7. Must not know what is ended.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPT = signal.SIGINT
ENDING = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""The signals that service managers and closing terminals send."""


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
def told_like_interrupted() -> Iterator[None]:
    """Unwind the block as for Ctrl-C if somebody stops an unattended run, so that nothing it started is left."""

    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    with handle_signals(interrupt, *ENDING):
        yield
