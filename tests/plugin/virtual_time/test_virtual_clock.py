"""What passes while sleeps are skipped: every way to read the time, and waits of threads that have an end."""

from __future__ import annotations

import _thread
import asyncio
import datetime
import datetime as dt
import hashlib
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime as from_import
from time import perf_counter
from typing import Any

import pydantic
import pytest

from harness.plugin import no_sleep

HOUR = 3600.0
DATES: dict[str, Callable[[], datetime.datetime]] = {
    "UTC": lambda: datetime.datetime.now(datetime.UTC),
    "local": lambda: datetime.datetime.now().astimezone(),
    "renamed": lambda: dt.datetime.now(dt.UTC),
    "utcnow": lambda: datetime.datetime.utcnow().replace(tzinfo=datetime.UTC),
    "gmtime": lambda: datetime.datetime(*time.gmtime()[:6], tzinfo=datetime.UTC),
    "localtime": lambda: datetime.datetime(*time.localtime()[:6]).astimezone(),
    "strftime": lambda: datetime.datetime.fromisoformat(time.strftime("%Y-%m-%dT%H:%M:%S")).astimezone(),
    "ctime": lambda: datetime.datetime.strptime(time.ctime(), "%a %b %d %H:%M:%S %Y").astimezone(),
}  # fmt: skip


@pytest.mark.parametrize("name", DATES)
@pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")
def test_a_deadline_by_the_calendar(name: str) -> None:
    """A loop with a deadline by date and time ends after as many polls as in production, or one more."""
    now, polls = DATES[name], 0
    with no_sleep() as sleeps:
        end = now() + datetime.timedelta(minutes=10)
        while now() < end and polls < 500:
            polls += 1
            time.sleep(5)
    assert 119 <= polls <= 121
    assert sleeps.total == 5 * polls
    assert abs(now().timestamp() - time.time()) < HOUR / 2


COUNTS: dict[str, Callable[[], float]] = {
    "monotonic": lambda: time.monotonic(),
    "by name": lambda: perf_counter(),
    "time": lambda: time.time(),
    "nanoseconds": lambda: time.time_ns() / 1e9,
    "monotonic nanoseconds": lambda: time.monotonic_ns() / 1e9,
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_deadline_in_seconds(name: str) -> None:
    """A loop with a deadline by any clock ends after as many polls as in production; a late import sees it."""
    with no_sleep() as sleeps:
        end, polls = COUNTS[name]() + 60, 0
        while COUNTS[name]() < end:
            polls += 1
            time.sleep(5)
        exec("from time import monotonic", found := {"__name__": "application"})
        assert abs(found["monotonic"]() - time.monotonic()) < 1
    assert (polls, sleeps.total) == (12, 60)
    assert abs(found["monotonic"]() - time.monotonic()) < 1


def test_the_day_passes() -> None:
    """`date.today` moves as well; inside another block the time moves on from there."""
    with no_sleep():
        before = datetime.date.today()
        time.sleep(24 * HOUR)
        with no_sleep():
            time.sleep(24 * HOUR)
            assert (datetime.date.today() - before).days in (2, 3)
            assert (datetime.datetime.now().date() - before).days in (2, 3)


def test_dates_stay_what_they_are() -> None:
    """Values are plain, and the class passes for the real one, also as a key, in a model and as a base."""
    with no_sleep():
        now = datetime.datetime.now(datetime.UTC)
        assert type(now) is type(datetime.datetime(2026, 9, 1)) is type(datetime.datetime.min) is from_import
        assert isinstance(now, datetime.datetime)
        assert issubclass(from_import, datetime.datetime)
        assert {from_import: "found"}[datetime.datetime] == "found"

        class Model(pydantic.BaseModel):
            moment: datetime.datetime

        class Own(datetime.datetime):
            pass

        assert Model(moment=now).moment == now
        assert type(Own.now()) is Own
        assert not isinstance(now, Own)
    assert datetime.datetime is from_import
    assert Model.model_validate_json(Model(moment=now).model_dump_json()).moment == now


async def cut_by_a_timer() -> None:
    """A timeout ends a sleep."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await asyncio.sleep(1000)


async def cut_by_a_task() -> None:
    """Another task cancels a sleep, after a sleep of its own."""
    cut = asyncio.create_task(asyncio.sleep(1000))
    await asyncio.sleep(10)
    cut.cancel()
    await asyncio.wait([cut])


async def cut_at_the_end() -> None:
    """A heartbeat ends with its loop."""
    cut = asyncio.create_task(asyncio.sleep(1000))
    await asyncio.sleep(10)
    assert not cut.done()


@pytest.mark.parametrize(
    ("act", "expected"), [(cut_by_a_timer, [10]), (cut_by_a_task, [10, 10]), (cut_at_the_end, [10, 10])]
)
def test_a_sleep_cut_short(act: Callable[[], Coroutine[Any, Any, None]], expected: list[float]) -> None:
    """It counts with what it slept by the clock, not with what it would have slept."""
    with no_sleep() as sleeps:
        begin = time.monotonic()
        asyncio.run(act())
        assert 10 <= time.monotonic() - begin < 500
    assert sleeps == pytest.approx(expected, abs=1)


class Poller(threading.Thread):
    """Polls every five seconds until it is told to stop: the wait is its sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = threading.Event()
        self.polls = 0

    def run(self) -> None:
        """Poll."""
        while not self.stopped.wait(5):
            self.polls += 1

    def stop(self) -> int:
        """Stop, and return how often it has polled."""
        self.stopped.set()
        self.join()
        return self.polls


def test_a_wait_that_nobody_can_end() -> None:
    """With no other thread, a wait with a time limit is a sleep, and is counted as one."""
    with no_sleep() as sleeps:
        end, stopped, free = time.monotonic() + 60, threading.Event(), threading.Semaphore(0)
        while time.monotonic() < end:
            assert not stopped.wait(5)
        with pytest.raises(queue.Empty):
            queue.Queue[int]().get(timeout=100)
        with (condition := threading.Condition()):
            assert not condition.wait_for(lambda: False, timeout=1000)
        assert not free.acquire(timeout=10_000)
    assert sleeps[:12] == [5] * 12
    assert sleeps.total == pytest.approx(60 + 11_100, abs=1)


def test_a_wait_in_parts_is_told_whole() -> None:
    """A wait that its library repeats for what is left of it counts with the seconds that were given."""
    full, condition = queue.Queue[int](maxsize=1), threading.Condition()
    full.put(1)
    with no_sleep() as sleeps:
        with pytest.raises(queue.Empty):
            queue.PriorityQueue[int]().get(timeout=1000)
        with pytest.raises(queue.Full):
            full.put(2, timeout=100)
        with condition:
            assert not condition.wait_for(lambda: False, timeout=10)
    assert sleeps == [1000, 100, 10]


def test_threads_of_tools_end_no_wait() -> None:
    """A reader of xdist, a thread that `threading` does not know, keeps no wait from being skipped."""
    ready, done = _thread.allocate_lock(), _thread.allocate_lock()
    ready.acquire()
    done.acquire()
    body = "def read(ready, done):\n    ready.release()\n    done.acquire()\n"
    exec(body, names := {"__name__": "execnet.gateway_base"})
    _thread.start_new_thread(names["read"], (ready, done))
    ready.acquire()
    with no_sleep() as sleeps:
        assert not threading.Event().wait(10_000)
    done.release()
    assert sleeps == [10_000]


@pytest.mark.parametrize("pause", [time.sleep, lambda seconds: threading.Event().wait(seconds)])
def test_threads_wait_side_by_side(pause: Callable[[float], object]) -> None:
    """While one thread waits a minute, another that polls every five seconds polls as often as in production."""
    pause = pause if pause is not time.sleep else lambda seconds: time.sleep(seconds)
    with no_sleep() as sleeps:
        poller = Poller()
        poller.start()
        pause(60)
        assert poller.stop() in (11, 12)
        assert sleeps.total in (60 + 55, 60 + 60)


def test_a_thread_that_works_is_not_left_behind() -> None:
    """A thread whose work between two waits takes less than the threshold has done all of it."""
    done: list[float] = []

    def work() -> None:
        for _ in range(3):
            time.sleep(1000)
            until = time.thread_time() + 0.05
            while time.thread_time() < until:
                hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1000)
            done.append(until)

    with no_sleep():
        worker = threading.Thread(target=work)
        worker.start()
        time.sleep(10_000)
        assert len(done) == 3
        worker.join()


def test_sleeps_of_threads_do_not_add_up() -> None:
    """Four threads that sleep a minute each, side by side, sleep a minute."""
    together = threading.Barrier(4)
    with no_sleep() as sleeps, ThreadPoolExecutor(4) as pool:
        begin = time.monotonic()
        list(pool.map(lambda number: (together.wait(), [time.sleep(5) for _ in range(12)]), range(4)))
        assert 60 <= time.monotonic() - begin < 240, "one thread after the other: 240"
    assert [seconds for seconds in sleeps if seconds == 5] == [5] * 48  # others of this process may wait, too


@pytest.mark.parametrize(("slow", "found"), [(60, "nothing"), (10, "it")])
def test_who_comes_first(slow: int, found: str) -> None:
    """A consumer gives up before what it waits for comes, or gets it: as it would be if nothing was skipped."""
    waiting: queue.Queue[str] = queue.Queue()

    def produce() -> None:
        time.sleep(slow)
        waiting.put("it")

    with no_sleep():
        producer = threading.Thread(target=produce)
        producer.start()
        try:
            got = waiting.get(timeout=30)
        except queue.Empty:
            got = "nothing"
        producer.join()
    assert got == found


def test_the_thread_of_the_test_comes_first_without_a_wait() -> None:
    """A thread that sleeps before the test's own thread has ever waited is not ahead of it."""
    waiting: queue.Queue[str] = queue.Queue()
    begun: list[bool] = []

    def produce() -> None:
        begun.append(True)
        time.sleep(60)
        waiting.put("it")

    with no_sleep():
        _thread.start_new_thread(produce, ())
        while not begun:
            pass
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            pass
        with pytest.raises(queue.Empty):
            waiting.get(timeout=30)
        assert waiting.get(timeout=60) == "it"


def test_work_is_waited_for() -> None:
    """A wait for a thread that works, and not sleeps, takes the time that the work takes."""
    done = threading.Event()

    def work() -> None:
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 200_000)
        done.set()

    with no_sleep() as sleeps:
        threading.Thread(target=work).start()
        assert done.wait(1000)
    assert sleeps == []


def test_a_notification_between_two_looks_is_heard() -> None:
    """A wait looks at the clock again and again; a thread that has its lock just then, and notifies, ends it."""
    condition = threading.Condition()

    def work() -> None:
        with condition:
            hashlib.pbkdf2_hmac("sha256", b"a", b"b", 200_000)
            condition.notify()

    with no_sleep() as sleeps, condition:
        threading.Thread(target=work).start()
        assert condition.wait(1000)
    assert sleeps == []


def test_a_child_process_is_waited_for() -> None:
    """Other processes cannot be hurried: a time limit for one is the machine's."""
    with no_sleep() as sleeps, subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.1)"]) as child:
        assert child.wait(timeout=100) == 0
    assert sleeps == []


def test_timers_fire() -> None:
    """A `threading.Timer` fires after its seconds on the clock; `future.result` gives up after its own."""
    fired: list[float] = []
    with no_sleep(), ThreadPoolExecutor(1) as pool:
        begin = time.monotonic()
        timer = threading.Timer(30, lambda: fired.append(time.monotonic() - begin))
        timer.start()
        timer.join()
        with pytest.raises(TimeoutError):
            pool.submit(lambda: time.sleep(60)).result(timeout=20)
    assert 30 <= fired[0] < 60
