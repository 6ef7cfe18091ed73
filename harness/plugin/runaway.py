"""Stops a test whose code would go on for ever, where no exception of an ordinary kind would get through.

Layer 6. Retry loops catch `Exception`, so that what ends them is no `Exception`: pytest's own failure.
"""

from __future__ import annotations

import ctypes

from _pytest.outcomes import Failed  # what `pytest.fail` raises; its public alias is no type


class Runaway(Failed):
    """The code under test exceeded the bound on requests."""


def stop(thread: int, runaway: Runaway) -> None:
    """Raise the failure in another thread of this process, at its next step in Python code."""
    message = str(runaway)

    class Stopped(Runaway):
        def __init__(self) -> None:  # the interpreter makes the instance, and has no arguments for it
            super().__init__(message)

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stopped))
