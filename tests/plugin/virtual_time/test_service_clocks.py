"""A skipped sleep is time that passes for the emulator, too: by exactly as much, once, for those of this test."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import harness
from harness.outcome import UsageFault
from harness.plugin import InteractionsEmulator, no_sleep


@pytest.fixture
def emulator() -> Any:
    """An emulator of the test's own, in use."""
    with harness.InteractionsEmulator() as opened:
        yield opened


def moved(emulator: InteractionsEmulator, act: Callable[[], object]) -> float:
    """By how many seconds its clock moves while something is done."""
    begin = emulator.clock.now
    with no_sleep():
        act()
    return round(emulator.clock.now - begin, 6)


async def sleep_twice() -> None:
    """Sleep a minute beside another minute."""
    await asyncio.gather(asyncio.sleep(60), asyncio.sleep(60))


ACTS: dict[str, tuple[Callable[[], object], float]] = {
    "a sleep": (lambda: time.sleep(10), 10),
    "a fraction": (lambda: time.sleep(0.125), 0.125),
    "a wait": (lambda: threading.Event().wait(7), 7),
    "no sleep": (lambda: time.sleep(0), 0),
    "a coroutine": (lambda: asyncio.run(asyncio.sleep(60)), 60),
    "side by side": (lambda: asyncio.run(sleep_twice()), 60),
}


@pytest.mark.parametrize("name", ACTS)
def test_by_exactly_as_much(emulator: InteractionsEmulator, name: str) -> None:
    """The clock moves by what was skipped, to the microsecond, however long it really took."""
    act, seconds = ACTS[name]
    assert moved(emulator, act) == seconds


def test_all_of_this_test_and_no_other() -> None:
    """Two open emulators both move; one that is closed, or was never opened, does not."""
    with harness.InteractionsEmulator() as over:
        pass
    apart = InteractionsEmulator()
    with harness.InteractionsEmulator() as one, harness.InteractionsEmulator() as other, no_sleep():
        time.sleep(10)
    assert [emulator.clock.now for emulator in (one, other, over, apart)] == [10, 10, 0, 0]


def test_a_pause_meanwhile_is_not_counted_twice(emulator: InteractionsEmulator) -> None:
    """What a stream's pauses have moved while a thread slept is part of its sleep."""
    begin = emulator.clock.now
    with no_sleep():
        asleep = threading.Thread(target=lambda: time.sleep(60))
        asleep.start()
        emulator.clock.reached(begin + 40)
        asleep.join()
    assert emulator.clock.now in (begin + 60, begin + 100), "100 if the pause was over before the sleep began"


def test_a_video_is_ready(emulator: InteractionsEmulator) -> None:
    """The loop of the API's own guide ends, after as many polls as its sleeps take."""
    emulator.change(processing=25)
    polls = 0
    with emulator.client() as client, no_sleep() as sleeps:
        file = client.files.upload(file=io.BytesIO(b"\0" * 64), config={"mime_type": "video/mp4"})
        while file.state.name == "PROCESSING":
            time.sleep(10)
            polls += 1
            file = client.files.get(name=file.name)
    assert (polls, sleeps.total) == (3, 30)


def count_polls(emulator: InteractionsEmulator, pause: float) -> int:
    """How often a client polls until its run has ended, with a pause before each poll."""
    made = emulator.create()
    for polls in range(1, 500):
        time.sleep(pause)
        if emulator.call("GET", f"interactions/{made['id']}")["status"] == "completed":
            return polls
    raise AssertionError("it never ended")


@pytest.mark.parametrize(("pause", "polls"), [(10, 85), (60, 15), (900, 1), (0, 4)])
def test_what_lasts_ends_by_the_clock(emulator: InteractionsEmulator, pause: float, polls: int) -> None:
    """A run of 840 seconds ends when as much was slept; without sleeps each poll moves it by a share."""
    emulator.reply(lasts=840)
    with no_sleep():
        assert count_polls(emulator, pause) == pytest.approx(polls, abs=1)


def is_over(emulator: InteractionsEmulator, path: str) -> bool:
    """Whether a GET finds the interaction, completed."""
    try:
        return bool(emulator.call("GET", path)["status"] == "completed")
    except UsageFault:
        return False


def wait_for_end(emulator: InteractionsEmulator, deadline: float) -> int:
    """How often the commonest loop sleeps five seconds: it polls at once, then sleeps."""
    made, end = emulator.create(), time.monotonic() + deadline
    for slept in range(100):
        if is_over(emulator, f"interactions/{made['id']}"):
            return slept
        if time.monotonic() > end:
            break
        time.sleep(5)
    raise TimeoutError


SCRIPTS: list[Any] = [{"lasts": 30}, {"lasts": 30, "ticks": 0}, {"hidden": {"seconds": 30}, "ticks": 0}]


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_a_loop_that_polls_at_once_sleeps_the_whole_run(emulator: InteractionsEmulator, script: Any) -> None:
    """A run of 30 seconds is over after six sleeps of five, and not before a deadline of 22."""
    emulator.reply(**script).reply(**script)
    with no_sleep():
        assert wait_for_end(emulator, 3600) == 6
        with pytest.raises(TimeoutError):
            wait_for_end(emulator, 22)


def test_a_client_that_sleeps_may_poll_twice(emulator: InteractionsEmulator) -> None:
    """Once a client has slept, two polls in a row are no time."""
    emulator.reply(lasts=30)
    path, slept = f"interactions/{emulator.create()['id']}", 0
    with no_sleep():
        while slept == 0 or not (is_over(emulator, path) or is_over(emulator, path)):
            time.sleep(5)
            slept += 1
    assert slept == 6


def poll_at_once(client: Any, name: str) -> None:
    """Poll a file that is not ready, without a sleep."""
    while client.files.get(name=name).state.name == "PROCESSING":
        pass


@pytest.mark.slow
def test_a_busy_loop_is_told_what_waits(emulator: InteractionsEmulator) -> None:
    """A loop that polls without a sleep is stopped, and told what only time moves on."""
    emulator.change(processing=3600)
    with emulator.client() as client:
        file = client.files.upload(file=io.BytesIO(b"\0" * 64), config={"mime_type": "video/mp4"})
        with pytest.raises(BaseException, match="seems to go on for ever") as caught:
            poll_at_once(client, file.name)
    assert f"{file.name} waits for time" in str(caught.value)
    emulator.runaway = ""
