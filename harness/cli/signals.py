"""The signals with which somebody ends a command, and what they do meanwhile: one mechanism for all commands.

Layer 6. Must not know what is ended.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPT = signal.SIGINT
ENDING = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""What service managers and closing terminals send."""


@contextmanager
def heeding(act: Callable[[int], object], *numbers: int) -> Iterator[None]:
    """Have `act` called with each of these signals that comes before the block ends.

    A hang-up that is ignored stays ignored: that is what `nohup` is for.
    """
    before = {}

    def heed(number: int, frame: FrameType | None) -> None:
        act(number)

    for number in numbers:
        if number in ENDING[1:] and signal.getsignal(number) is signal.SIG_IGN:
            continue
        before[number] = signal.signal(number, heed)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ends_when_told() -> Iterator[None]:
    """Let whoever stops an unattended run unwind the block, so that nothing it started is left behind.

    Raises SystemExit with 128 and the signal's number.
    """

    def end(number: int) -> None:
        raise SystemExit(128 + number)

    with heeding(end, *ENDING):
        yield


@contextmanager
def told_like_interrupted() -> Iterator[None]:
    """The same, but as a Ctrl-C: raises KeyboardInterrupt."""

    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    with heeding(interrupt, *ENDING):
        yield
