"""Skips sleeps and counts them: `time.sleep`, `asyncio.sleep`, `anyio.sleep` and `trio.sleep`.

A loop that polls every five seconds then runs at once, and the test can still see how long it would have slept:
`virtual_clock` moves by what was skipped, and the code under test reads that clock (`time_sources`). Modules that
imported the functions by name are patched, too. The sleeps of our server are real.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Any

from harness.outcome import UsageFault
from harness.outcome.words import format_count
from harness.plugin.blocking_calls import note_blocking
from harness.plugin.late_patches import Patch, patched_attributes
from harness.plugin.session_server import open_clocks
from harness.plugin.thread_waits import ThreadWaits
from harness.plugin.time_sources import CHILDREN, NAMES, find_caller, is_exempt, is_server, shifted_readings
from harness.plugin.virtual_clock import VirtualClock

_PLACES = ("time", "asyncio", "asyncio.tasks", "anyio", "anyio._core._eventloop", "trio", "trio._timeouts")
_NAMES = frozenset({"sleep", *NAMES})


class Sleeps(list[float]):
    """The seconds of each skipped sleep, in the order of their ends; of one cut short, those that it slept."""

    @property
    def total(self) -> float:
        """The sum of all sleeps in seconds; of tasks side by side it exceeds the time on the clock."""
        return sum(self)

    def assert_total(self, *exact: float, at_most: float = inf, at_least: float = 0.0) -> None:
        """Assert that the total of the skipped sleeps, in seconds, is within these bounds. Raises UsageFault."""
        __tracebackhide__ = True
        if exact:
            raise UsageFault(f"assert_total takes bounds by name: at_least={exact[0]!r}, at_most={exact[0]!r}")
        if not at_least <= self.total <= at_most:
            shown = ", ".join(f"{seconds:g}" for seconds in self[:12]) + (" …" if len(self) > 12 else "")
            raise AssertionError(
                f"the code under test slept {self.total:g} s in {format_count(len(self), 'sleep')} "
                f"({shown or 'none'}); "
                f"expected at {f'most {at_most:g}' if self.total > at_most else f'least {at_least:g}'} s"
            )


def _find_sleeps() -> set[Any]:
    """The functions that sleep, of all libraries that are imported."""
    return {sleep for home in _PLACES if (sleep := getattr(sys.modules.get(home), "sleep", None)) is not None}


@contextmanager
def no_sleep() -> Iterator[Sleeps]:
    """Skip sleeps until the block ends; yield the record of them. Clocks move by what was skipped."""
    sleeps, clock = Sleeps(), VirtualClock()
    waits = ThreadWaits(clock, sleeps.append)
    clock.is_working = waits.is_pool_working
    replacements = dict(shifted_readings(clock.seen_ahead))
    for sleep in _find_sleeps():
        is_async = inspect.iscoroutinefunction(sleep)
        replacements[sleep] = _skip_async(sleep, sleeps, clock) if is_async else _skip(sleep, clock, waits)
    pools = concurrent.futures.ThreadPoolExecutor
    methods: list[Patch] = [
        (threading.Condition, "wait", waits.replacement()),
        (pools, "submit", waits.note_given(pools.submit)),
    ]
    loops: list[Any] = [asyncio.BaseEventLoop]
    if (loop := getattr(sys.modules.get("uvloop"), "Loop", None)) is not None:
        methods.append((loop, "time", clock.shift_method(loop.time)))
        loops.append(loop)
    methods += [(loop, "run_in_executor", waits.count_calls(loop.run_in_executor)) for loop in loops]
    _replace(replacements, spares=is_exempt)
    open_clocks.append(clock)
    try:
        with patched_attributes(methods):
            yield sleeps
    finally:
        open_clocks.remove(clock)
        clock.over = True
        _replace({new: original for original, new in replacements.items()})  # also in modules imported meanwhile


def _replace(replacements: Mapping[Any, Any], spares: Callable[[str], bool] = lambda module: False) -> None:
    """Replace functions and classes in each module that has one by its own name; sleeps even in those `spares`."""
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        for name in names.keys() & _NAMES:
            try:
                replacement = replacements.get(names[name])
            except TypeError:  # an unhashable object of that name
                continue
            if replacement is not None and (name == "sleep" or not spares(str(names.get("__name__")))):
                setattr(module, name, replacement)


def _skip(original: Callable[[float], None], clock: VirtualClock, waits: ThreadWaits) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        if clock.over or _is_real(seconds) or find_caller().partition(".")[0] in CHILDREN:
            return original(seconds)
        if seconds > 0:
            instead = f"Write `await asyncio.sleep({seconds:g})`."
            note_blocking(f"`time.sleep({seconds:g})`", instead, is_sleep=True)
            waits.sleep(seconds)
        return original(0 if seconds >= 0 else seconds)

    return sleep


def _skip_async(original: Callable[..., Any], sleeps: Sleeps, clock: VirtualClock) -> Callable[..., Any]:
    signature = inspect.signature(original)
    named = next(iter(signature.parameters))  # asyncio and anyio call it `delay`, trio `seconds`

    async def sleep(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        seconds = given[named]
        if clock.over or _is_real(seconds) or seconds <= 0:
            return await original(**given)
        begin = clock.now()
        try:
            await clock.sleep(seconds, original)
        except BaseException:  # cancelled, as by a timeout
            if slept := min(seconds, clock.measure_sleep(begin)):
                sleeps.append(slept)
            raise
        sleeps.append(seconds)
        return given.get("result")  # at once: who sleeps for longer must not be before the code that goes on

    return sleep


def _is_real(seconds: float) -> bool:
    """Whether a sleep must not be skipped: our own server's, or an infinite one (`anyio.sleep_forever`)."""
    return seconds == inf or is_server()


# Sleeps that are not skipped, for a service that asks whether its reader polls without an end.


@contextmanager
def reporting_sleeps(tell: Callable[[float], object]) -> Iterator[None]:
    """Call `tell`, which may raise, with the seconds of each real sleep before it begins, while the block runs.

    Where sleeps are skipped there is nothing to tell.
    """
    if open_clocks:
        yield
        return
    active = [True]

    def pass_on(seconds: float) -> None:
        if active and 0 < seconds < inf and not is_exempt(find_caller()):
            tell(seconds)

    replacements = {sleep: _telling(sleep, pass_on) for sleep in _find_sleeps()}
    _replace(replacements)
    try:
        yield
    finally:
        active.clear()
        _replace({new: original for original, new in replacements.items()})


def _telling(original: Callable[..., Any], tell: Callable[[float], object]) -> Callable[..., Any]:
    """A sleep, of a thread or of a coroutine, that is reported before it begins."""
    named = next(iter(inspect.signature(original).parameters)) if inspect.iscoroutinefunction(original) else ""

    def sleep(*args: Any, **kwargs: Any) -> Any:
        tell(args[0] if args else kwargs.get(named, 0.0))
        return original(*args, **kwargs)

    async def suspend(*args: Any, **kwargs: Any) -> Any:
        return await sleep(*args, **kwargs)

    return suspend if named else sleep
