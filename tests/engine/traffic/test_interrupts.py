"""An interrupt waits for the answer to a create, and for nothing else."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from harness.engine.traffic import deadline
from harness.engine.traffic.deadline import hold_interrupts
from harness.wire import Headers, Request

CREATE = Request("POST", "/things", Headers())
READ = Request("GET", "/things/1", Headers())

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the timers of POSIX")


def interrupt(request: Request, *, times: int = 1) -> list[str]:
    """Interrupt while a request is under way; return what happened all the same after each interrupt."""
    happened = []
    try:
        with hold_interrupts(request):
            for number in range(times):
                signal.raise_signal(signal.SIGINT)
                happened.append(f"interrupt {number + 1} passed")
    except KeyboardInterrupt:
        return [*happened, "interrupted"]
    return happened


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    assert interrupt(CREATE) == ["interrupt 1 passed", "interrupted"]


def test_a_read_is_interrupted_at_once() -> None:
    """Nothing is left behind by a GET."""
    assert interrupt(READ) == ["interrupted"]


def test_a_second_interrupt_is_not_held_back() -> None:
    assert interrupt(CREATE, times=3) == ["interrupt 1 passed", "interrupted"]


def test_an_answer_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the grace, the interrupt takes effect."""
    monkeypatch.setattr(deadline, "_GRACE", 0.02)
    waited = []

    def wait_for_the_answer() -> None:
        with hold_interrupts(CREATE):
            signal.raise_signal(signal.SIGINT)
            waited.append(threading.Event().wait(30))

    with pytest.raises(KeyboardInterrupt):
        wait_for_the_answer()
    assert not waited


def test_everything_is_as_before() -> None:
    """Handlers and timers are put back, with and without an interrupt."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    with hold_interrupts(CREATE):
        pass
    interrupt(CREATE)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_another_thread_holds_nothing() -> None:
    """Outside the main thread no handler may be set, and none is."""
    failed = []

    def block() -> None:
        try:
            with hold_interrupts(CREATE):
                time.sleep(0)
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert not failed
