"""What tells the time, made to tell a virtual clock's: functions of `time`, and the class `datetime.datetime`.

Layer 7. Values are the library's own; only the name `datetime.datetime` means another class for a while, which
passes for the real one in tests of types, as a key, and in models of pydantic.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from typing import Any

from harness.plugin.virtual_time.virtual_clock import VirtualClock

_COUNTS = ("monotonic", "time", "perf_counter", "monotonic_ns", "time_ns", "perf_counter_ns")
_PARTS = ("gmtime", "localtime", "ctime")

NAMES = (*_COUNTS, *_PARTS, "strftime", "_time", "datetime")
"""The names under which modules have them; `threading` has `monotonic` as `_time`, `queue` as `time`."""

_REAL = datetime.datetime


def shifted_readings(clock: VirtualClock) -> Iterator[tuple[Any, Any]]:
    """(original, replacement) for each function and class that tells the time; `date.today` asks one of them."""
    machine = time.time

    def now() -> float:
        return machine() + clock.seen_ahead()

    for name in _COUNTS:
        original = getattr(time, name)
        yield original, _shift_count(clock, original, 10**9 if name.endswith("_ns") else 1)
    for name in _PARTS:
        original = getattr(time, name)
        yield original, _shift_parts(now, original)
    yield time.strftime, _shift_format(now, time.strftime, time.localtime)
    yield datetime.datetime, _shift_datetime(now)


def _shift_count(clock: VirtualClock, original: Callable[[], Any], unit: int) -> Callable[[], Any]:
    kind = type(original())

    def read() -> Any:
        return original() + kind(clock.seen_ahead() * unit)

    return read


def _shift_parts(now: Callable[[], float], original: Callable[..., Any]) -> Callable[..., Any]:
    def read(seconds: float | None = None, /) -> Any:
        return original(now() if seconds is None else seconds)

    return read


def _shift_format(
    now: Callable[[], float], original: Callable[..., str], split: Callable[[float], Any]
) -> Callable[..., str]:
    def strftime(form: str, *parts: Any) -> str:
        return original(form, *(parts or [split(now())]))

    return strftime


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
    told = now  # the class has a `now` of its own

    class Shifted(_REAL, metaclass=_Alike):
        def __new__(cls, *fields: Any, **named: Any) -> Any:
            return _REAL.__new__(_REAL if cls is Shifted else cls, *fields, **named)

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(told(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(told(), datetime.UTC).replace(tzinfo=None)

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
            return handler(_REAL)

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Shifted, name, getattr(_REAL, name))
    return Shifted
