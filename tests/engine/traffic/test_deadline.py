"""A search ends when its time is up, even while a request hangs; a request that it cut off is never a finding."""

from __future__ import annotations

import signal
import threading

import pytest

from harness.engine.traffic import deadline
from harness.engine.traffic.deadline import Deadline, Timer, TimeUp, hold_interrupts
from harness.engine.traffic.governed_driver import Attempt
from harness.wire import By, Chunk, Chunked, Ending, ExchangeBuilder, Headers, How, Request

REQUEST = Request("GET", "/v1beta/interactions/v1_a")
CUT = Ending(by=By.LIMIT, how=How.TIMEOUT, detail="nothing came in time")


class FakeTimer(Timer):
    """A timer with a given number of seconds left, whatever the real clock says."""

    def __init__(self, left: float) -> None:
        super().__init__(None)
        self.rest = left

    @property
    def left(self) -> float:
        return self.rest


@pytest.mark.parametrize(
    ("target", "status", "body", "told"),
    [
        ("/v1beta/x?key=secret", None, b"", "GET /v1beta/x had no response for 7.0 s"),
        ("/v1beta/x?stream=true", None, b"", "GET /v1beta/x?stream=true had no response for 7.0 s"),
        (
            "/v1beta/x?key=secret&stream=true",
            200,
            b"data: 1\n\ndata: 2\n\n",
            "the response to GET /v1beta/x?stream=true had not ended after 7.0 s: 200 and 2 events came",
        ),
        ("/v1beta/x", 200, b"{", "the response to GET /v1beta/x had not ended after 7.0 s: 200 and 1 byte came"),
    ],
)
def test_the_end_of_the_time_says_what_had_come(target: str, status: int | None, body: bytes, told: str) -> None:
    """Whether head and events had come makes a difference, and so does what was asked for; a key is not told."""
    recorder = ExchangeBuilder(Request("GET", target))
    if status is not None:
        recorder.head(status, Headers(), Chunked())
        recorder.chunk(Chunk(body), 0.1)
    policy = Deadline(FakeTimer(0.0), 60.0)
    with pytest.raises(TimeUp) as up:
        policy.after(Attempt(REQUEST), recorder.finish(CUT, 7.0))
    assert str(up.value) == f"the time limit was reached when {told}"


def test_a_request_gets_no_more_time_than_the_limit() -> None:
    """Readers of one run, each repeated for as long as it was open, once took three times as long as the last.

    The driver bounds those sent together, while that much is left of the run.
    """
    attempts = [Attempt(REQUEST, timeout=seconds) for seconds in (None, 5.0, 240.0)]
    attempts.append(Attempt(REQUEST, parallel=True))
    for left, given in ((600.0, [60.0, 5.0, 60.0, None]), (2.0, [2.0] * 4)):
        Deadline(FakeTimer(left), 60.0).before(attempts)
        assert [attempt.timeout for attempt in attempts] == given


# --- an interrupt waits for the answer to a create, and for nothing else


CREATE = Request("POST", "/things", Headers())
READ = Request("GET", "/things/1", Headers())


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


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the timers of POSIX")
def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    assert interrupt(CREATE) == ["interrupt 1 passed", "interrupted"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the timers of POSIX")
def test_a_read_is_interrupted_at_once() -> None:
    """Nothing is left behind by a GET."""
    assert interrupt(READ) == ["interrupted"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the timers of POSIX")
def test_a_second_interrupt_is_not_held_back() -> None:
    assert interrupt(CREATE, times=3) == ["interrupt 1 passed", "interrupted"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the timers of POSIX")
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
