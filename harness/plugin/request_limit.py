"""Stop a test whose code would run for ever, with an exception that ordinary handlers do not catch.

Layer 7. Retry loops catch `Exception`, so they are stopped by pytest's own failure, which is a `BaseException`.
"""

from __future__ import annotations

from _pytest.outcomes import Failed  # raised by `pytest.fail`; its public alias is not a type


class RequestLimit(Failed):
    """The code under test exceeded the bound on requests."""


def stop(thread: int, runaway: RequestLimit) -> None:
    """Raise the failure in another thread of this process, at its next Python instruction."""
    import ctypes  # most sessions stop no test

    message = str(runaway)

    class Stopped(RequestLimit):
        def __init__(self) -> None:  # the interpreter creates the instance without arguments
            super().__init__(message)

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stopped))
