"""The time as the code under test reads it: functions of `time` and `datetime.datetime`, on a virtual clock.

Values are the library's own. Only the name `datetime.datetime` means another class for a while, which passes for
the real one in tests of types, as a key, and in models of pydantic. pytest and its helpers, programs that wait for
child processes, and our own server keep the machine's time.
"""

from __future__ import annotations

import datetime
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from harness.plugin.session_server import SERVER_THREAD

_COUNTS = ("monotonic", "time", "perf_counter", "monotonic_ns", "time_ns", "perf_counter_ns")
_PARTS = ("gmtime", "localtime", "ctime")

NAMES = (*_COUNTS, *_PARTS, "strftime", "_time", "datetime")
"""The names under which modules have them; `threading` has `monotonic` as `_time`, `queue` as `time`."""

_REAL = datetime.datetime


def shifted_readings(ahead: Callable[[], float]) -> Iterator[tuple[Any, Any]]:
    """(original, replacement) for what returns the time, `ahead()` seconds ahead; `date.today` calls one."""
    machine = time.time

    def now() -> float:
        return machine() + ahead()

    def shift_count(original: Callable[[], Any], unit: int) -> Callable[[], Any]:
        kind = type(original())
        return lambda: original() + kind(ahead() * unit)

    def shift_parts(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda seconds=None, /: original(now() if seconds is None else seconds)

    write, split = time.strftime, time.localtime
    for name in _COUNTS:
        original = getattr(time, name)
        yield original, shift_count(original, 10**9 if name.endswith("_ns") else 1)
    for name in _PARTS:
        original = getattr(time, name)
        yield original, shift_parts(original)
    yield write, lambda form, *parts: write(form, *(parts or [split(now())]))
    yield datetime.datetime, _shift_datetime(now)


class _Alike(type):
    """Makes a class pass for `datetime.datetime`; classes derived from it are as any other."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _REAL) if cls.__base__ is _REAL else super().__instancecheck__(value)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, _REAL) if cls.__base__ is _REAL else super().__subclasscheck__(other)

    def __eq__(cls, other: object) -> bool:
        return cls is other or (cls.__base__ is _REAL and other is _REAL)

    def __hash__(cls) -> int:
        return hash(_REAL) if cls.__base__ is _REAL else super().__hash__()


def _shift_datetime(now: Callable[[], float]) -> type:
    shifted_now = now  # the class has a `now` of its own

    class Shifted(_REAL, metaclass=_Alike):
        def __new__(cls, *fields: Any, **named: Any) -> Any:
            return _REAL.__new__(_REAL if cls is Shifted else cls, *fields, **named)

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(shifted_now(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(shifted_now(), datetime.UTC).replace(tzinfo=None)

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
            return handler(_REAL)

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Shifted, name, getattr(_REAL, name))
    return Shifted


_TOOLS = ("_pytest", "pytest", "pluggy", "xdist", "execnet", "hypothesis", "faulthandler", "pytest_timeout")
CHILDREN = frozenset({"subprocess", "multiprocessing"})
"""Modules that wait for other processes, which cannot be hurried."""

_EXEMPT = frozenset({*_TOOLS, *CHILDREN})
_OWN = ("harness.plugin.", "harness.transport.", "harness.benches.")
_PASSING = frozenset({
    "threading", "queue", "concurrent.futures._base", "concurrent.futures.thread",
    *(f"{__package__}.{name}" for name in ("time_sources", "virtual_time", "virtual_clock", "thread_waits")),
})  # fmt: skip
"""Modules that wait, or ask for the time, on behalf of others."""


def is_exempt(module: str) -> bool:
    """Whether a module sees the machine's time: pytest, its helpers, or our own server."""
    return module.partition(".")[0] in _EXEMPT or module.startswith(_OWN) or is_server()


def find_caller(frame: FrameType | None = None, *, outermost: bool = False) -> str:
    """The module that waits or asks for the time; with `outermost`, that of a thread's first function."""
    found = ""
    frame = frame or sys._getframe(1)
    while frame is not None and (outermost or not found):
        module = str(frame.f_globals.get("__name__", ""))
        found = found if module in _PASSING else module
        frame = frame.f_back
    return found


def is_server() -> bool:
    """Whether this thread is one of our server; `SERVER_THREAD` has the reason why it sees the machine's time."""
    return threading.current_thread().name == SERVER_THREAD
