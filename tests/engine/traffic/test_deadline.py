"""A search ends when its time is up, even while a request hangs; a request that it cut off is never a finding."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from harness.engine.traffic import deadline
from harness.engine.traffic.deadline import MIN_TIMEOUT, Deadline, Timer, TimeUp, hold_interrupts
from harness.engine.traffic.governed_driver import Attempt, GovernedDriver
from harness.wire import (
    COMPLETE,
    By,
    Chunk,
    Chunked,
    Driver,
    DriverAction,
    Ending,
    Exchange,
    ExchangeBuilder,
    Frame,
    Headers,
    How,
    Length,
    Open,
    Request,
    Send,
    Together,
    Wait,
)

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


class FakeStream:
    """A stream that ends with the given ending."""

    status, headers, ended = 200, Headers(), True

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def read(self, events: int) -> list[Frame]:
        return []

    def hurry(self, seconds: float) -> None:
        pass

    def finish(self) -> Exchange:
        return self._exchange

    def close(self) -> Exchange:
        return self._exchange


class FakeDriver(Driver):
    """Answer each request with one ending after some seconds of the fake clock, and record the timeouts."""

    def __init__(self, timer: FakeTimer, ending: Ending = COMPLETE, takes: float = 0.0) -> None:
        self.timer, self.ending, self.takes = timer, ending, takes
        self.bounds: list[float | None] = []

    def perform(self, action: DriverAction) -> Any:
        match action:
            case Send(request, timeout):
                return self.answer(request, timeout)
            case Open(request, timeout):
                return FakeStream(self.answer(request, timeout))
            case Together(requests):
                return [self.answer(request, None) for request in requests]
            case Wait(seconds):
                self.bounds.append(seconds)
                self.timer.rest -= seconds
                return None
        raise AssertionError(f"nobody does this here: {action}")

    def answer(self, request: Request, timeout: float | None) -> Exchange:
        self.bounds.append(timeout)
        self.timer.rest -= self.takes
        recorder = ExchangeBuilder(request)
        recorder.head(200, Headers(), Length(0))
        return recorder.finish(self.ending, self.takes)

    def close(self) -> None:
        raise AssertionError("the driver inside is not ours to close")


@pytest.mark.parametrize(
    ("left", "asked", "bound"),
    [
        (math.inf, None, 60.0),
        (90.0, None, 60.0),
        (7.0, None, 7.0),
        (90.0, 5.0, 5.0),
        (3.0, 5.0, 3.0),
        (0.001, None, MIN_TIMEOUT),
    ],
)
def test_no_request_gets_more_time_than_there_is(left: float, asked: float | None, bound: float) -> None:
    """A request gets the smallest of the time left, the timeout it asked for, and the user's limit per request."""
    inner = FakeDriver(FakeTimer(left))
    driver = bounded(inner)
    driver.send(REQUEST, timeout=asked)
    driver.open(REQUEST, timeout=asked)
    driver.close()
    assert inner.bounds == [bound, bound]


def bounded(inner: FakeDriver) -> GovernedDriver:
    """The driver with the deadline of its timer and a limit of 60 s per request."""
    return GovernedDriver(inner, [Deadline(inner.timer, 60.0)], owned=False)


ACTS: dict[str, Callable[[GovernedDriver], object]] = {
    "send": lambda driver: driver.send(REQUEST),
    "together": lambda driver: driver.together([REQUEST]),
    "read": lambda driver: driver.open(REQUEST).read(1),
    "finish": lambda driver: driver.open(REQUEST).finish(),
}


@pytest.mark.parametrize("act", ACTS)
def test_what_our_clock_cut_off_is_not_handed_on(act: str) -> None:
    """If the search's own time limit cut a request off, `TimeUp` is raised instead of returning the exchange."""
    inner = FakeDriver(FakeTimer(7.0), CUT, takes=7.0)
    driver = bounded(inner)
    with pytest.raises(
        TimeUp, match=r"response to GET /v1beta/interactions/v1_a had not ended after 7\.0 s: 200 and 0 bytes came"
    ):
        ACTS[act](driver)


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


def test_time_that_others_get_for_deleting_hands_nothing_on() -> None:
    """A request that had only the rest of the time was cut off by us, even if another worker's grace began."""
    inner = FakeDriver(FakeTimer(24.0), CUT, takes=24.0)
    answer = inner.answer

    def answer_late(request: Request, timeout: float | None) -> Exchange:
        brought = answer(request, timeout)
        inner.timer.rest = 5.0
        return brought

    inner.answer = answer_late  # type: ignore[method-assign]
    with pytest.raises(TimeUp, match="the time limit was reached when"):
        bounded(inner).send(REQUEST)


def test_waiting_ends_with_the_search() -> None:
    """A pause is shortened to the time left, and nothing is sent after it."""
    inner = FakeDriver(FakeTimer(0.5))
    driver = bounded(inner)
    with pytest.raises(TimeUp):
        driver.wait(30.0)
    assert inner.bounds == [0.5]
    with pytest.raises(TimeUp):
        driver.send(REQUEST)


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
