"""`follow` and `follow_async`: the loop that carries out the actions of a `ResumeMachine` with a real client.

The loop is async; with a sync client it never suspends, so that `Followed` runs it without an event loop.
`state_machine` makes every decision.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

from harness.outcome import UsageFault
from harness.resume.clients import as_drop, client_of, settle
from harness.resume.state_machine import Create, OpenStream, Poll, ResumeMachine, RetryLimits, Sleep

PATH = "/v1beta/interactions"
"""Path of the interactions below an httpx client's base_url."""

Event = Mapping[str, Any]


def follow(
    client: Any,
    interaction_id: str | None = None,
    *,
    create: Mapping[str, Any] | None = None,
    patience: RetryLimits | None = None,
    sleep: Callable[[float], object] | None = None,
    path: str = PATH,
) -> Followed:
    """Iterate over the events of an interaction, each once and in order, through any drop.

    `client` is a `google.genai.Client`, `httpx.Client` or `httpx2.Client`. Pass the id of an interaction or, in
    `create`, the fields of one to create and stream. `sleep` replaces `time.sleep`; `path` is for httpx clients
    only. Iterating raises `GaveUp` when patience runs out and `Refused` when the service rejects the request
    permanently.
    """
    machine = _build_machine(interaction_id, create, patience)
    found = client_of(client, path, is_async=False)
    return Followed(found, machine, sleep or (lambda seconds: time.sleep(seconds)))  # which tests replace


def follow_async(
    client: Any,
    interaction_id: str | None = None,
    *,
    create: Mapping[str, Any] | None = None,
    patience: RetryLimits | None = None,
    sleep: Callable[[float], Awaitable[object]] | None = None,
    path: str = PATH,
) -> AsyncFollowed:
    """Like `follow`, for `async for`.

    `client` is a `google.genai.Client` or its `aio`, or an async client of httpx or httpx2. Sleeps with asyncio or
    trio, whichever is running.
    """
    machine = _build_machine(interaction_id, create, patience)
    return AsyncFollowed(client_of(client, path, is_async=True), machine, sleep or _sleep)


def _build_machine(
    interaction_id: str | None, create: Mapping[str, Any] | None, patience: RetryLimits | None
) -> ResumeMachine:
    if (interaction_id is None) == (create is None):
        raise UsageFault("give either the id of an interaction, or create={…} to make one: exactly one of the two")
    if interaction_id == "":
        raise UsageFault('the id is "": an interaction that is not stored (store=false) cannot be followed')
    return ResumeMachine(patience or RetryLimits(), interaction_id, create)


class _State:
    """The state of the interaction so far; complete once the iteration has ended."""

    def __init__(self, client: Any, machine: ResumeMachine, sleep: Callable[[float], object]) -> None:
        self._machine = machine
        self._client = client
        self._sleep = sleep
        self._events = self._run()

    @property
    def id(self) -> str | None:
        """The interaction's id; None until the response to the create has named it."""
        return self._machine.interaction_id

    @property
    def status(self) -> str | None:
        """The last status received."""
        return self._machine.progress.status

    @property
    def cursor(self) -> str | None:
        """The id of the last event that had one; another process could resume from it."""
        return self._machine.progress.cursor

    @property
    def text(self) -> str:
        """The text of the output so far."""
        return self._machine.text()

    @property
    def interaction(self) -> dict[str, Any] | None:
        """The finished interaction with its output steps; None before the end."""
        return self._machine.interaction()

    @property
    def connections(self) -> int:
        """How many streams were requested; 1 if nothing was dropped."""
        return self._machine.connections

    async def _run(self) -> Any:
        machine = self._machine
        while not machine.over:
            move = machine.move()
            if isinstance(move, Sleep):
                await settle(self._sleep(move.seconds))
                continue
            events = self._poll(move) if isinstance(move, Poll) else self._open_stream(move)
            async with aclosing(events):
                async for event in events:
                    yield event

    async def _poll(self, move: Poll) -> Any:
        try:
            interaction = await self._client.get(move.id)
        except Exception as error:
            self._machine.note_failure(as_drop(error))
            return
        for event in self._machine.take_poll(interaction):
            yield event

    async def _open_stream(self, move: Create | OpenStream) -> Any:
        machine = self._machine
        try:
            opened = await self._client.open(move)
        except Exception as error:
            machine.note_failure(as_drop(error))
            return
        try:
            while not machine.hung_up:
                try:
                    data = await opened.read()
                except Exception as error:
                    machine.note_failure(as_drop(error))
                    return
                if data is None:
                    break
                for event in machine.feed(data):
                    yield event
        finally:
            await opened.close()
        machine.note_end()


class Followed(_State):
    """An iterator of events (decoded JSON objects). To stop early, call `close` or use it in a `with` block."""

    def __iter__(self) -> Followed:
        return self

    def __next__(self) -> Event:
        try:
            self._events.__anext__().send(None)
        except StopIteration as found:
            event: Event = found.value
            return event
        except StopAsyncIteration:
            pass
        raise StopIteration

    def close(self) -> None:
        """Close the connection; the interaction continues on the service."""
        with suppress(StopIteration):
            self._events.aclose().send(None)

    def __enter__(self) -> Followed:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncFollowed(_State):
    """An async iterator of events. To stop early, call `aclose` or use it in an `async with` block."""

    def __aiter__(self) -> AsyncFollowed:
        return self

    async def __anext__(self) -> Event:
        event: Event = await anext(self._events)
        return event

    async def aclose(self) -> None:
        """Close the connection; the interaction continues on the service."""
        await self._events.aclose()

    async def __aenter__(self) -> AsyncFollowed:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


async def _sleep(seconds: float) -> None:
    import anyio  # a dependency of every supported client

    await anyio.sleep(seconds)
