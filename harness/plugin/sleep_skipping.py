"""Skip and count sleeps: `time.sleep`, `asyncio.sleep`, `anyio.sleep` and `trio.sleep`.

Layer 7. A loop that polls every five seconds then runs at once, and the test can still see how long it would have
slept. Modules that imported the functions by name, as `sleep`, are patched too. Our server thread still sleeps.
"""

from __future__ import annotations

import inspect
import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.outcome.words import format_count

_SERVER_THREAD = "harness-server"
_PLACES = ("time", "asyncio", "asyncio.tasks", "anyio", "anyio._core._eventloop", "trio", "trio._timeouts")
_ASYNC_HOMES = ("asyncio", "anyio", "trio")


class Sleeps(list[float]):
    """The seconds of each skipped sleep, in order."""

    @property
    def total(self) -> float:
        """The seconds that the code under test would have slept."""
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
    """Skip sleeps until the block ends; yield the record of them."""
    sleeps = Sleeps()
    swaps = list(_swaps(sleeps))
    for module, name, new, _ in swaps:
        setattr(module, name, new)
    try:
        yield sleeps
    finally:
        for module, name, _, original in reversed(swaps):
            setattr(module, name, original)


def _swaps(sleeps: Sleeps) -> Iterator[tuple[Any, str, Any, Any]]:
    """(module, name, replacement, original) for each module that has one of the functions as `sleep`."""
    replacements: dict[Any, Any] = {}
    for home in _PLACES:
        original = getattr(sys.modules.get(home), "sleep", None)
        if original is not None and original not in replacements:
            asynchronous = home.partition(".")[0] in _ASYNC_HOMES
            replacements[original] = (_skipping_async if asynchronous else _skipping)(original, sleeps)
    for module in list(sys.modules.values()):
        found = getattr(module, "__dict__", {}).get("sleep")
        try:
            replacement = replacements.get(found)
        except TypeError:  # an unhashable object named `sleep`
            continue
        if replacement is not None:
            yield module, "sleep", replacement, found


def _skipping(original: Callable[[float], None], sleeps: Sleeps) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        if _is_real(seconds):
            return original(seconds)
        if seconds > 0:
            sleeps.append(seconds)
        return original(0 if seconds >= 0 else seconds)

    return sleep


def _skipping_async(original: Callable[..., Any], sleeps: Sleeps) -> Callable[..., Any]:
    signature = inspect.signature(original)
    named = next(iter(signature.parameters))  # asyncio and anyio call it `delay`, trio `seconds`

    async def sleep(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        if not _is_real(given[named]):
            if given[named] > 0:
                sleeps.append(given[named])
            given[named] = min(given[named], 0)
        return await original(**given)

    return sleep


def _is_real(seconds: float) -> bool:
    """Whether a sleep must not be skipped: our own server's, or an infinite one (`anyio.sleep_forever`)."""
    return seconds == math.inf or threading.current_thread().name == _SERVER_THREAD
