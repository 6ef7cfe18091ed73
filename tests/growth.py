"""Whether work grows with the length of its input, or with its square: told by the processor's time, twice."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import process_time

TIMES = 16
"""How much longer the long input is."""

_LOOKS = 3


def assert_linear(short: Callable[[], object], long: Callable[[], object]) -> None:
    """Fail if the work on an input that is `TIMES` as long takes much more than `TIMES` the time.

    Of several looks the shortest counts: what else the process has to do only ever adds to one.
    """
    most = 4 * TIMES * min(_measure(short) for _ in range(_LOOKS)) + 0.05
    looks: list[float] = []
    while not looks or (min(looks) >= most and len(looks) < _LOOKS):
        looks.append(_measure(long))
    assert min(looks) < most, f"growth by the square would be {TIMES**2} times: {looks}, at most {most}"


def _measure(work: Callable[[], object]) -> float:
    """The processor's seconds, without those that a full collection of garbage takes at a bad moment."""
    collects = gc.isenabled()
    gc.disable()
    try:
        began = process_time()
        work()
        return process_time() - began
    finally:
        if collects:
            gc.enable()
