"""Time stands still while a request or a call in a thread is under way: a correct program is never accused."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import httpx
import pytest

import harness
from harness.plugin import no_sleep
from harness.plugin.schedule import TaskSchedule
from harness.plugin.thread_waits import ThreadWaits, list_frames
from harness.plugin.virtual_clock import VirtualClock

MODEL = "gemini-3.8-flash"
KEY = {"x-goog-api-key": "any"}
BODY = {"model": MODEL, "input": "Say hi.", "background": True}
Ask = Callable[[str], Awaitable[dict[str, Any]]]
Program = Callable[[Ask, float], Awaitable[str]]


@contextmanager
def drawn(seed: int) -> Iterator[None]:
    """Skipped sleeps, with a drawn order of tasks."""
    with no_sleep(), TaskSchedule(seed).draw():
        yield


CLOCKS: dict[str, tuple[float, Callable[[], Any]]] = {
    "plain": (0.05, nullcontext),
    "no_sleep": (5.0, no_sleep),
    **{f"seed={seed}": (5.0, partial(drawn, seed)) for seed in range(1, 21)},
}
"""By name, the pause between two polls, and the clock."""


async def poll(ask: Ask, pause: float) -> str:
    """Create in the background, and ask until the run has ended."""
    run = await ask("")
    while run["status"] == "in_progress":
        await asyncio.sleep(pause)
        run = await ask(f"/{run['id']}")
    return str(run["status"])


async def poll_beside_a_watchdog(ask: Ask, pause: float) -> str:
    """The same beside a task that waits for longer than the polls take."""
    watchdog = asyncio.create_task(asyncio.sleep(200 * pause))
    status = await poll(ask, pause)
    assert not watchdog.done(), "the watchdog was over before the run"
    watchdog.cancel()
    return status


async def poll_in_time(ask: Ask, pause: float) -> str:
    """The same under a timeout, beside a task with a sleep of its own that ends later."""
    beside = asyncio.create_task(asyncio.sleep(400 * pause))
    status = await asyncio.wait_for(poll(ask, pause), 200 * pause)
    beside.cancel()
    return status


async def in_process(program: Program, emulator: Any, pause: float) -> str:
    async with httpx.AsyncClient(transport=emulator.transport, headers=KEY, base_url="http://any") as client:
        return await program(_ask_httpx(client), pause)


async def over_a_socket(program: Program, emulator: Any, pause: float) -> str:
    async with httpx.AsyncClient(headers=KEY, base_url=emulator.base_url) as client:
        return await program(_ask_httpx(client), pause)


async def by_aiohttp(program: Program, emulator: Any, pause: float) -> str:
    aiohttp = pytest.importorskip("aiohttp")
    async with aiohttp.ClientSession(headers=KEY) as session:

        async def ask(path: str) -> Any:
            url = f"{emulator.base_url}/v1beta/interactions{path}"
            async with session.get(url) if path else session.post(url, json=BODY) as response:
                return await response.json()

        return await program(ask, pause)


async def in_threads(program: Program, emulator: Any, pause: float) -> str:
    def send(path: str) -> Any:
        data = None if path else json.dumps(BODY).encode()
        headers = {**KEY, "content-type": "application/json"}
        request = urllib.request.Request(f"{emulator.base_url}/v1beta/interactions{path}", data, headers)
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    return await program(lambda path: asyncio.to_thread(send, path), pause)


async def by_the_sdk(program: Program, emulator: Any, pause: float) -> str:
    genai = pytest.importorskip("google.genai")
    async with genai.Client(api_key="any", http_options={"base_url": emulator.base_url}).aio as client:

        async def ask(path: str) -> Any:
            made = await (client.interactions.get(path[1:]) if path else client.interactions.create(**BODY))
            return made.model_dump(mode="json")

        return await program(ask, pause)


def _ask_httpx(client: httpx.AsyncClient) -> Ask:
    async def ask(path: str) -> Any:
        url = f"/v1beta/interactions{path}"
        return (await (client.get(url) if path else client.post(url, json=BODY))).json()

    return ask


SLOW, THOROUGH = [pytest.mark.slow], [pytest.mark.thorough]


@pytest.mark.parametrize(
    "clock",
    [pytest.param(name, marks=[] if at < 3 else SLOW if at < 6 else THOROUGH) for at, name in enumerate(CLOCKS)],
)
@pytest.mark.parametrize(
    "route", [in_process, over_a_socket, by_aiohttp, in_threads, by_the_sdk], ids=lambda route: route.__name__
)
def test_a_correct_program_is_never_accused(route: Any, clock: str) -> None:
    """Whatever the client, its requests take none of the time that skipped sleeps move."""
    pause, clocked = CLOCKS[clock]
    with harness.InteractionsEmulator() as emulator, clocked():
        for program in (poll_beside_a_watchdog, poll_in_time):
            emulator.script({"text": "Done.", "ticks": 4})
            assert asyncio.run(route(program, emulator, pause)) == "completed"


async def work_beside_a_sleeper(pause: Callable[[], Awaitable[Any]]) -> float:
    """Work for 200 turns of the loop, which is no time; return the seconds that pass meanwhile."""
    begin = time.monotonic()
    for _ in range(200):
        await pause()
    return time.monotonic() - begin


@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "trio"])
def test_a_task_that_works_is_not_left_behind(loop: str) -> None:
    """Also where a loop does not show which tasks are ready, or runs them in a random order."""
    library, took = pytest.importorskip(loop), list[float]()

    async def in_asyncio() -> None:
        worked, _ = await asyncio.gather(work_beside_a_sleeper(lambda: asyncio.sleep(0)), asyncio.sleep(60))
        took.append(worked)

    async def in_trio() -> None:
        async with library.open_nursery() as nursery:
            nursery.start_soon(library.sleep, 60)
            took.append(await work_beside_a_sleeper(library.lowlevel.checkpoint))

    with no_sleep():
        library.run(in_trio if loop == "trio" else in_asyncio())
    assert took[0] < 30


@contextmanager
def one_thread_at_a_time() -> Iterator[None]:
    """This thread runs until it waits, as on a machine that is too busy for any other."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def test_a_call_that_no_thread_has_taken_up_is_under_way() -> None:
    """A worker that waits in its pool is at work once a call is given to it, and as the pool shuts down."""
    clock = VirtualClock()
    waits = ThreadWaits(clock, lambda seconds: None)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        (worker,) = pool._threads
        while worker.ident in waits._find_running():  # it has given its result, and has not come to wait again
            time.sleep(0)
        submit = waits.note_given(ThreadPoolExecutor.submit)
        with one_thread_at_a_time():
            given = submit(pool, int)
            assert worker.ident in waits._find_running()
        given.result()
        while worker.ident in waits._find_running():
            time.sleep(0)
        with one_thread_at_a_time():
            pool.shutdown(wait=False)
            assert worker.ident in waits._find_running()
    clock.over = True
    assert not waits._given


def test_a_thread_that_has_what_it_joined_is_under_way() -> None:
    """It goes on later, on a busy machine; until the other thread has ended, it does nothing."""
    waits = ThreadWaits(VirtualClock(), lambda seconds: None)
    ends = threading.Event()
    worked = threading.Thread(target=ends.wait)
    joins = threading.Thread(target=worked.join)
    worked.start()
    joins.start()
    while (frame := list_frames()[joins.ident or 0]).f_code.co_name not in ("join", "_wait_for_tstate_lock"):
        time.sleep(0)
    assert waits._is_idle(frame)
    ends.set()
    joins.join()
    assert not waits._is_idle(frame)


def test_a_thread_that_starts_is_under_way() -> None:
    """It is listed, and runs nothing yet."""
    waits, seen = ThreadWaits(VirtualClock(), lambda seconds: None), list[int]()
    begun = threading.Thread(target=int)
    wait = begun._started.wait  # type: ignore[attr-defined]
    begun._started.wait = lambda: seen.extend(waits._find_running()) or wait()  # type: ignore[attr-defined]
    with one_thread_at_a_time():
        begun.start()
    begun.join()
    assert -id(begun) in seen
