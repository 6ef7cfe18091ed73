"""Waits for a target that is not up yet, and says so.

Layer 7.
"""

from __future__ import annotations

from harness.benches.server.reachability import wait_until_up
from harness.cli.output import say
from harness.engine.targets import ResolvedTarget
from harness.report.terminal.screen import Heartbeat

_EVERY = 5.0
"""Seconds between two lines."""


def wait_for(target: ResolvedTarget, seconds: float | None, *, every: float = _EVERY) -> None:
    """Return once the target answers anything. Raises TargetFault if it does not within `seconds`.

    It says on standard error that it waits, as long as it does. Without seconds nothing is sent.
    """
    if not seconds:
        return
    waiting = f"waiting up to {seconds:g} s for an answer of {target.info.url}"
    heartbeat = Heartbeat(lambda: say(waiting, to_errors=True), seconds=every)
    try:
        wait_until_up(target, seconds)
    finally:
        heartbeat.stop()
