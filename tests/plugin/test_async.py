"""Async code under test: the in-process transport suspends as a socket does; a seed draws the order of tasks."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from harness.plugin import InteractionsEmulator, TaskSchedule, no_sleep, schedule
from harness.plugin.blocking_calls import LeftTasks, collected_calls
from tests.plugin.toys import run

KEY = {"x-goog-api-key": "any"}


async def read(emulator: InteractionsEmulator, interaction: str, timeout: float | None = None) -> list[str]:
    """The lines of a stream, read by a client without a read timeout."""
    lines = []
    url = f"http://any.test/v1beta/interactions/{interaction}?stream=true"
    new = httpx.AsyncClient(transport=emulator.transport, headers=KEY, timeout=timeout)
    async with new as client, client.stream("GET", url) as response:
        async for line in response.aiter_lines():
            lines.append(line)
    return lines


def silent(plan: str = "event:3,stall") -> tuple[InteractionsEmulator, str]:
    """An emulator whose stream falls silent, and the interaction to read."""
    emulator = InteractionsEmulator(seed=1)
    found = emulator.create()["id"]
    emulator.drop(plan)
    return emulator, found


async def use_timeout(emulator: InteractionsEmulator, interaction: str) -> float:
    """End a silent stream with `asyncio.timeout`."""
    begin = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await read(emulator, interaction)
    return asyncio.get_running_loop().time() - begin


async def use_wait_for(emulator: InteractionsEmulator, interaction: str) -> float:
    """End it with `wait_for`."""
    begin = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(emulator, interaction), 10)
    return asyncio.get_running_loop().time() - begin


async def use_wait(emulator: InteractionsEmulator, interaction: str) -> float:
    """Wait for it in vain, and cancel it."""
    begin = asyncio.get_running_loop().time()
    reading = asyncio.create_task(read(emulator, interaction))
    await asyncio.wait([reading], timeout=10)
    assert not reading.done()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    return asyncio.get_running_loop().time() - begin


@pytest.mark.parametrize(("use", "plan"), [
    (use_timeout, "event:3,stall"), (use_wait_for, "before-headers,stall"), (use_wait, "event:3,stall"),
])  # fmt: skip
@pytest.mark.parametrize("skips", [False, True])
def test_a_timeout_ends_a_silent_stream(use, plan: str, skips: bool) -> None:
    """It ends after its own seconds of the loop's clock, whether sleeps are skipped or not."""
    emulator, interaction = silent(plan)
    if not skips:
        assert 10 <= asyncio.run(use(emulator, interaction)) < 12
        return
    with no_sleep() as sleeps:
        assert 10 <= asyncio.run(use(emulator, interaction)) < 12
    assert sleeps == []  # nothing in the code under test slept


def test_a_client_with_a_read_timeout_is_told_the_virtual_time() -> None:
    """The library's own exception, which says how much virtual time went by."""
    emulator, interaction = silent()
    with pytest.raises(httpx.ReadTimeout, match=r"nothing came for 7 s of virtual time$"):
        asyncio.run(read(emulator, interaction, 7))
    emulator, interaction = silent()
    with pytest.raises(httpx.ReadTimeout, match=r"of virtual time; the client has no read timeout"):
        asyncio.run(read(emulator, interaction))


def test_other_tasks_run_between_two_events() -> None:
    """Each piece of a body suspends the reader once, as a socket would."""
    emulator = InteractionsEmulator(seed=1)
    interaction = emulator.create()["id"]

    async def count(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def main() -> bool:
        events = sum(line.startswith("data: ") for line in await read(emulator, interaction))
        counting = asyncio.create_task(count(events))
        await read(emulator, interaction)
        return counting.done()

    assert asyncio.run(main())


def test_a_create_that_is_cancelled_before_it_is_sent_makes_nothing() -> None:
    """The first suspension is before the request, and the next one after the service has taken it."""
    emulator = InteractionsEmulator(seed=1)

    async def main(turns: int) -> None:
        async with httpx.AsyncClient(transport=emulator.transport, headers=KEY) as client:
            body = {"model": "gemini-3.8-flash", "input": "Hi."}
            task = asyncio.create_task(client.post("http://any.test/v1beta/interactions", json=body))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main(1))
    assert emulator.requests == []
    asyncio.run(main(2))
    emulator.requests.assert_calls("create")


@pytest.mark.parametrize("skips", [False, True])
def test_trio(skips: bool) -> None:
    """A cancel scope of trio ends a silent stream as well."""
    trio = pytest.importorskip("trio")
    emulator, interaction = silent()

    async def main() -> float:
        begin = trio.current_time()
        with trio.move_on_after(10) as scope:
            await read(emulator, interaction)
        assert scope.cancelled_caught
        return float(trio.current_time() - begin)

    if not skips:
        assert 10 <= trio.run(main) < 12
        return
    with no_sleep():
        assert 10 <= trio.run(main) < 12


APP = """
import asyncio, queue, threading, time

async def ask(client):
    return (await client.interactions.create(model="gemini-3.8-flash", input="x")).output_text

async def sleeps(client):
    time.sleep(5)

async def waits(client):
    try:
        queue.Queue().get(timeout=5)
    except queue.Empty:
        pass

async def uses_a_sync_client(client):
    client.interactions.create(model="gemini-3.8-flash", input="x")

async def leaves_a_task(client):
    async def poll():
        while True:
            await asyncio.sleep(5)
    asyncio.create_task(poll())
    await asyncio.sleep(0)

async def right(client):
    await asyncio.to_thread(client.interactions.create, model="gemini-3.8-flash", input="x")
    await asyncio.sleep(5)
"""
TESTS = """
import asyncio, app, pytest
from harness.plugin import BlockingCallWarning as BLOCKING

ONE = pytest.mark.interactions_schedule(seed=4)

@ONE
def test_sleeps(interactions_schedule, interactions_emulator, interactions_client):
    asyncio.run(app.sleeps(interactions_client))

@ONE
def test_waits(interactions_schedule, interactions_emulator, interactions_client):
    asyncio.run(app.waits(interactions_client))

@ONE
def test_sync(interactions_schedule, interactions_emulator, interactions_client):
    asyncio.run(app.uses_a_sync_client(interactions_client))

@ONE
def test_leaves(interactions_schedule, interactions_emulator, interactions_client):
    asyncio.run(app.leaves_a_task(interactions_client))

@ONE
def test_nothing(interactions_schedule, interactions_emulator):
    pass

@ONE
def test_right(interactions_schedule, interactions_emulator, interactions_client):
    asyncio.run(app.right(interactions_client))

@pytest.mark.interactions_schedule(seeds=6)
def test_race(interactions_schedule, interactions_emulator, interactions_async_client):
    order = []
    async def one(number):
        for _ in range(2):
            await app.ask(interactions_async_client)
            order.append(number)
    async def main():
        await asyncio.gather(one(1), one(2), one(3))
    asyncio.run(main())
    print("ORDER", interactions_schedule.seed, *order)

def test_without(interactions_emulator, interactions_client, interactions_no_sleep):
    with pytest.warns(BLOCKING, match="blocks the event loop"):
        asyncio.run(app.sleeps(interactions_client))
"""


@pytest.fixture
def toy(pytester: pytest.Pytester) -> pytest.Pytester:
    """A repository with an async application that blocks, leaves tasks behind, and races."""
    pytest.importorskip("google.genai")
    pytester.makepyfile(app=APP, test_app=TESTS)
    return pytester


def test_what_a_schedule_finds(toy: pytest.Pytester) -> None:
    """Each defect is told in its own words, with its line; what is right passes."""
    result = run(toy, "-k", "not race")
    assert result.parseoutcomes() == {"failed": 5, "passed": 2, "deselected": 6}
    said = result.stdout.str()
    for words in (
        "`time.sleep(5)` blocks the event loop (app.py:7, in `sleeps`)",
        "`queue.get` or `future.result`, blocks the event loop (app.py:11, in `waits`)",
        "a request of a synchronous client blocks the event loop (app.py:16, in `uses_a_sync_client`)",
        "the task `poll` (app.py:19) still ran when the test had ended",
        "interactions_schedule drew nothing",
        "tasks were drawn with seed 4",
        "pytest 'test_app.py::test_sleeps[seed=4]'",
    ):
        assert words in said


UNSCHEDULED = """
import asyncio, time, app, pytest
from harness.plugin import BlockingCallWarning as BLOCKING

def help_with(client):
    time.sleep(5)
    return client.interactions.create(model="gemini-3.8-flash", input="x")

async def helped(client):
    help_with(client)

@pytest.mark.parametrize("name", ["waits", "uses_a_sync_client"])
def test_alone(name, interactions_client, interactions_no_sleep):
    asyncio.run(getattr(app, name)(interactions_client))

def test_helper(interactions_client, interactions_no_sleep):
    with pytest.warns(BLOCKING, match="blocks the event loop .test_app.py:.+, in `help_with`") as told:
        asyncio.run(helped(interactions_client))
    assert len(told) == 1

def test_a_loop_of_another_greenlet(interactions_client, interactions_no_sleep, monkeypatch):
    asyncio._set_running_loop(loop := asyncio.new_event_loop())  # as Playwright's sync API leaves it
    try:
        app.blocks(interactions_client)
    finally:
        asyncio._set_running_loop(None)
        loop.close()

def test_callback(interactions_client, interactions_no_sleep):
    async def main():
        asyncio.get_running_loop().call_soon(app.blocks, interactions_client)
        await asyncio.sleep(0)
    with pytest.warns(BLOCKING, match="blocks the event loop .app.py:.., in `blocks`") as told:
        asyncio.run(main())
    assert len(told) == 1

async def polls(sleep):
    await asyncio.sleep(0)
    sleep(5)

class Agent:
    async def events(self):
        time.sleep(5)
        yield 1

def test_own_coroutine(interactions_no_sleep):
    with pytest.warns(BLOCKING, match="^`time.sleep.5.` blocks the event loop .test_app.py:.., in `polls`"):
        asyncio.run(polls(time.sleep))
    assert interactions_no_sleep == [5]

def test_own_generator(interactions_no_sleep):
    async def main():
        return [number async for number in Agent().events()]
    with pytest.warns(BLOCKING, match="in `events`"):
        asyncio.run(main())

def test_own_synchronous_code(interactions_no_sleep):
    async def in_a_thread():
        await asyncio.to_thread(time.sleep, 5)
        await asyncio.to_thread(help_asleep)
    def help_asleep():
        time.sleep(5)
    help_asleep()
    asyncio.run(in_a_thread())
    help_asleep()
    assert interactions_no_sleep.total == 20
"""


def test_who_is_warned_without_a_schedule(toy: pytest.Pytester) -> None:
    """Code of the application that sleeps in a loop, and no other; a loop that called nothing is not blocked."""
    blocks = "\ndef blocks(client):\n    time.sleep(5)\n    client.interactions.create(model='m', input='x')\n"
    toy.makepyfile(app=APP + blocks.replace("'m'", "'gemini-3.8-flash'"), test_app=UNSCHEDULED)
    run(toy, "-W", "error::harness.plugin.BlockingCallWarning").assert_outcomes(passed=8)


@pytest.mark.slow
def test_a_seed_repeats_its_order(toy: pytest.Pytester) -> None:
    """Six seeds draw several orders, and the second run draws the same ones, whatever ran before."""
    first = run(toy, "-s", "-k", "race")
    again = run(toy, "-s", "-k", "race and 3")
    orders = dict(line[6:].split(" ", 1) for line in re.findall(r"ORDER .*", first.stdout.str()))
    assert len(orders) == 6
    assert len(set(orders.values())) > 2
    assert f"ORDER 3 {orders['3']}" in again.stdout.str()


def test_the_seed_of_the_session_moves_all(pytester: pytest.Pytester) -> None:
    """`--interactions-seed` is the first of the seeds."""
    pytester.makepyfile("def test_x(interactions_schedule): pass")
    listed = run(pytester, "--collect-only", "-q", "--interactions-seed", "40").stdout.str()
    assert "test_x[seed=40]" in listed
    assert "test_x[seed=49]" in listed
    assert listed.count("test_x[") == 10


def test_a_callback_that_comes_while_an_order_is_drawn_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may call `call_soon_threadsafe` at any time: its callback comes after those before it."""
    calls: list[str] = []
    look = schedule._task_of

    async def step(name: str) -> None:
        calls.append(name)

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def look_and_call(handle: object) -> object:
            monkeypatch.setattr(schedule, "_task_of", look)
            loop.call_soon(calls.append, "from a thread")
            return look(handle)

        running = [asyncio.ensure_future(step(f"task {number}")) for number in range(3)]
        monkeypatch.setattr(schedule, "_task_of", look_and_call)
        await asyncio.gather(*running)

    with TaskSchedule(1).draw():
        asyncio.run(asyncio.wait_for(main(), 30))
    assert sorted(calls) == ["from a thread", "task 0", "task 1", "task 2"]


def test_a_thread_that_takes_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call in a thread that needs the loop itself gets it, instead of a deadlock."""
    monkeypatch.setattr("harness.plugin.schedule.THRESHOLD", 0.05)

    async def main() -> str:
        loop = asyncio.get_running_loop()

        async def inner() -> str:
            return "done"

        return await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(inner(), loop).result(30))

    with TaskSchedule(1).draw():
        assert asyncio.run(main()) == "done"


def test_an_error_in_a_thread_arrives() -> None:
    """The task that awaits a call in a thread gets its exception."""

    async def main() -> None:
        await asyncio.to_thread(int, "x")

    with TaskSchedule(1).draw(), pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(main())


def test_a_connection_of_a_synchronous_client() -> None:
    """A request over a socket blocks as well."""
    from harness.plugin import loopback_only
    from harness.transport import ServerThread

    emulator = InteractionsEmulator(seed=1)

    async def main(url: str) -> None:
        httpx.get(f"{url}/v1beta/interactions/none", headers=KEY, trust_env=False)

    with ServerThread(emulator, clock=emulator.clock) as server, loopback_only(), collected_calls() as found:
        asyncio.run(main(server.url))
    assert len(found) == 1
    assert "a connection of a synchronous client blocks the event loop (test_async.py:" in next(iter(found))


LEFT = """
import asyncio, app, pytest
from harness.plugin import LeftBehindWarning

KEPT = []

def peek(client):
    run = client.interactions.create(model="gemini-3.8-flash", input="x", background=True)
    stream = client.interactions.get(run.id, stream=True)
    next(iter(stream))
    KEPT.append(stream)  # as long as it lives, it is open
    return stream

def test_closed(interactions_client):
    with peek(interactions_client):
        pass

def test_stream(interactions_client):
    peek(interactions_client)

def test_task(interactions_async_client):
    async def main():
        await interactions_async_client.interactions.create(model="gemini-3.8-flash", input="x")
        asyncio.create_task(app.poll())
        await asyncio.sleep(0)
    asyncio.run(main())

def test_failure(interactions_async_client):
    test_task(interactions_async_client)
    assert False

def test_held(interactions_emulator, interactions_async_client):
    run = interactions_emulator.create()
    async def main():
        stream = await interactions_async_client.interactions.get(run["id"], stream=True)
        KEPT.append(stream)
        async for _ in stream:
            return
    asyncio.run(main())

def test_closed_async(interactions_emulator, interactions_async_client):
    run = interactions_emulator.create()
    async def main():
        async with await interactions_async_client.interactions.get(run["id"], stream=True) as stream:
            async for _ in stream:
                return
    asyncio.run(main())

def test_cancelled(interactions_emulator, interactions_async_client):
    interactions_emulator.drop("event:3,stall")
    run = interactions_emulator.create()
    async def main():
        stream = await interactions_async_client.interactions.get(run["id"], stream=True)
        KEPT.append(stream)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                async for _ in stream:
                    pass
    asyncio.run(main())
"""


@pytest.mark.slow
def test_what_is_left_behind(pytester: pytest.Pytester) -> None:
    """A stream that stays open and a task that still runs are warnings; a failure's report has the task, too."""
    pytest.importorskip("google.genai")
    app = "import asyncio\n\nasync def poll():\n    await asyncio.sleep(3600)\n"
    pytester.makepyfile(app=app, test_app=LEFT)
    result = run(pytester, "-W", "default::harness.plugin.LeftBehindWarning")
    assert result.parseoutcomes() == {"passed": 6, "failed": 1, "warnings": 3}
    said = result.stdout.str()
    task = "the task `poll` (app.py:3) still ran when the test had ended"
    assert said.count("LeftBehindWarning: the code under test stopped reading a stream after 1 event") == 2
    assert said.count(f"LeftBehindWarning: {task}") == 1
    assert task in said.partition("test_failure")[2].partition("warnings summary")[0]
    run(pytester, "-k", "stream or task").assert_outcomes(failed=2)  # with warnings as errors


def test_a_callback_that_renews_itself_keeps_no_loop_from_its_end() -> None:
    """Its loop is never idle, and ends all the same, as it does without us."""

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def tick() -> None:
            loop.call_soon(tick)

        tick()

    with LeftTasks().watch():
        asyncio.run(main())
