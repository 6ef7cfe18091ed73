"""Skip and count sleeps: `time.sleep`, `asyncio.sleep`, `anyio.sleep` and `trio.sleep`; the clock moves instead.

Layer 7. A loop that polls every five seconds then runs at once, and the test can still see how long it would have
slept. Modules that imported the functions by name are patched too. Our server thread still sleeps.
"""

from __future__ import annotations

import inspect
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from harness.outcome.words import format_count
from harness.plugin.virtual_time.clock_readings import NAMES, shifted_readings
from harness.plugin.virtual_time.thread_waits import ThreadWaits
from harness.plugin.virtual_time.virtual_clock import CHILDREN, SERVER_THREAD, VirtualClock, find_caller, is_exempt

_PLACES = ("time", "asyncio", "asyncio.tasks", "anyio", "anyio._core._eventloop", "trio", "trio._timeouts")
_ASYNC_HOMES = ("asyncio", "anyio", "trio")
_NAMES = frozenset({"sleep", *NAMES})


class Sleeps(list[float]):
    """The seconds of each skipped sleep, in the order of their ends; of one cut short, those that it slept."""

    @property
    def total(self) -> float:
        """The seconds that the code under test would have slept, added up; side by side, more than have passed."""
        return sum(self)

    def assert_total(self, *, at_most: float = float("inf"), at_least: float = 0.0) -> None:
        """Assert that the total of the skipped sleeps, in seconds, is within these bounds."""
        __tracebackhide__ = True
        if not at_least <= self.total <= at_most:
            shown = ", ".join(f"{seconds:g}" for seconds in self[:12]) + (" …" if len(self) > 12 else "")
            raise AssertionError(
                f"the code under test slept {self.total:g} s in {format_count(len(self), 'sleep')} "
                f"({shown or 'none'}); "
                f"expected at {f'most {at_most:g}' if self.total > at_most else f'least {at_least:g}'} s"
            )


@contextmanager
def no_sleep() -> Iterator[Sleeps]:
    """Skip sleeps until the block ends; yield the record of them. Clocks move by what was skipped."""
    sleeps, clock = Sleeps(), VirtualClock()
    waits = ThreadWaits(clock, sleeps.append)
    replacements = {**dict(shifted_readings(clock)), **_skipping_functions(sleeps, clock, waits)}
    methods: list[tuple[Any, str, Any]] = [(threading.Condition, "wait", waits.replacement())]
    if (uvloop := sys.modules.get("uvloop")) is not None:
        methods.append((uvloop.Loop, "time", clock.shift_method(uvloop.Loop.time)))
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in methods]
    _replace(replacements, spares=is_exempt)
    for owner, name, method in methods:
        setattr(owner, name, method)
    try:
        yield sleeps
    finally:
        clock.over = True
        for owner, name, method in originals:
            setattr(owner, name, method)
        _replace({new: original for original, new in replacements.items()})  # also in modules imported meanwhile


def _skipping_functions(sleeps: Sleeps, clock: VirtualClock, waits: ThreadWaits) -> dict[Any, Any]:
    """The functions that sleep, and those that do not."""
    found: dict[Any, Any] = {}
    for home in _PLACES:
        original = getattr(sys.modules.get(home), "sleep", None)
        if original is not None and original not in found:
            asynchronous = home.partition(".")[0] in _ASYNC_HOMES
            found[original] = (
                _skipping_async(original, sleeps, clock) if asynchronous else _skipping(original, clock, waits)
            )
    return found


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


def _skipping(
    original: Callable[[float], None], clock: VirtualClock, waits: ThreadWaits
) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        if clock.over or _is_real(seconds) or find_caller().partition(".")[0] in CHILDREN:
            return original(seconds)
        if seconds > 0:
            waits.sleep(seconds)
        return original(0 if seconds >= 0 else seconds)

    return sleep


def _skipping_async(original: Callable[..., Any], sleeps: Sleeps, clock: VirtualClock) -> Callable[..., Any]:
    signature = inspect.signature(original)
    named = next(iter(signature.parameters))  # asyncio and anyio call it `delay`, trio `seconds`

    async def sleep(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        seconds = given[named]
        if not (clock.over or _is_real(seconds)) and seconds > 0:
            await _sleep_and_record(seconds, original, sleeps, clock)
            return given.get("result")  # at once: who sleeps for longer must not be before the code that goes on
        return await original(**given)

    return sleep


async def _sleep_and_record(
    seconds: float, original: Callable[..., Any], sleeps: Sleeps, clock: VirtualClock
) -> None:
    begin = clock.now()
    try:
        await clock.sleep(seconds, original)
    except BaseException:  # cancelled, as by a timeout
        if slept := min(seconds, clock.measure_sleep(begin)):
            sleeps.append(slept)
        raise
    sleeps.append(seconds)


def _is_real(seconds: float) -> bool:
    """Whether a sleep must not be skipped: our own server's, or an infinite one (`anyio.sleep_forever`)."""
    return seconds == math.inf or threading.current_thread().name == SERVER_THREAD
