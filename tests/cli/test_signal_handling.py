"""An interrupt ends a command also where Python would drop it."""

from __future__ import annotations

import gc
import signal
import threading

import pytest

from harness.cli.output import ending_as_interrupted


@pytest.mark.slow
def test_an_interrupt_that_comes_while_garbage_is_collected() -> None:
    """What is raised in a callback of the collector goes nowhere, so the interrupt comes again a moment later."""

    def interrupt(phase: str, info: dict[str, int]) -> None:
        gc.callbacks.remove(interrupt)
        signal.raise_signal(signal.SIGTERM)

    def wait() -> None:
        with ending_as_interrupted():
            gc.callbacks.append(interrupt)
            gc.collect()
            threading.Event().wait(30)

    with pytest.raises(KeyboardInterrupt):
        wait()
