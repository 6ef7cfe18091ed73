"""Waits until a target answers at all, because a server that was just started needs a moment.

Layer 5.
"""

from __future__ import annotations

import time

from harness.engine.targets import ResolvedTarget
from harness.outcome import TargetFault
from harness.wire import By, Ending, How

_PAUSE = 0.2
_SPEAKS_OTHERWISE = frozenset({How.TLS, How.BAD_HTTP})
"""Somebody is there, and no time makes HTTP of what they speak: whoever asks next says what is wrong."""


def wait_until_up(target: ResolvedTarget, seconds: float) -> None:
    """Return once the target answers anything. Raises TargetFault if it does not within `seconds`.

    With 0 seconds nothing is sent; the probe then finds out whether the target is there.
    """
    if seconds <= 0 or target.throwaway:
        return
    deadline = time.monotonic() + seconds
    driver = target.connect()
    try:
        while True:
            left = deadline - time.monotonic()
            exchange = driver.send(target.target.control("GET", ""), timeout=max(left, _PAUSE))
            if exchange.status is not None or _is_there(exchange.ending):
                return
            if time.monotonic() + _PAUSE > deadline:
                raise TargetFault(
                    f"{target.info.url} returned no response within {seconds:g} seconds ({exchange.ending.how})"
                )
            driver.wait(_PAUSE)
    finally:
        driver.close()


def _is_there(ending: Ending) -> bool:
    """Whether somebody answered, although it cannot be read: it is no HTTP, or more than is read of an answer."""
    return ending.how in _SPEAKS_OTHERWISE or (ending.by is By.LIMIT and ending.how is not How.TIMEOUT)
