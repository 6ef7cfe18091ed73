"""`follow` and `follow_async`: the loops that carry out a journey's moves with a real client.

Layer 3. The two loops differ only in `await`; `journey` makes every decision.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any

from harness.outcome import UsageFault
from harness.resume.clients import async_client_of, client_of
from harness.resume.errors import as_drop
from harness.resume.limits import Patience
from harness.resume.state_machine import Create, Journey, Poll, Sleep, Stream

PATH = "/v1beta/interactions"
"""Path of the interactions below an httpx client's base_url."""

Event = Mapping[str, Any]


def follow(
    client: Any,
    interaction_id: str | None = None,
    *,
    create: Mapping[str, Any] | None = None,
    patience: Patience | None = None,
    sleep: Callable[[float], object] | None = None,
    path: str = PATH,
) -> Followed:
    """Iterate over the events of an interaction, each once and in order, through any drop.

    `client` is a `google.genai.Client`, `httpx.Client` or `httpx2.Client`. Pass the id of an interaction or, in
    `create`, the fields of one to create and stream. `sleep` replaces `time.sleep`; `path` is for httpx clients
    only. Iterating raises `GaveUp` when patience runs out and `Refused` when the service refuses for good.
    """
    return Followed(client_of(client, path), _journey(interaction_id, create, patience), sleep)


def follow_async(
    client: Any,
    interaction_id: str | None = None,
    *,
    create: Mapping[str, Any] | None = None,
    patience: Patience | None = None,
    sleep: Callable[[float], Awaitable[object]] | None = None,
    path: str = PATH,
) -> AsyncFollowed:
    """Like `follow`, for `async for`.

    `client` is a `google.genai.Client` or its `aio`, or an async client of httpx or httpx2. Sleeps with asyncio or
    trio, whichever is running.
    """
    return AsyncFollowed(async_client_of(client, path), _journey(interaction_id, create, patience), sleep)


def _journey(interaction_id: str | None, create: Mapping[str, Any] | None, patience: Patience | None) -> Journey:
    if (interaction_id is None) == (create is None):
        raise UsageFault("give either the id of an interaction, or create={…} to make one: exactly one of the two")
    if interaction_id == "":
        raise UsageFault('the id is "": an interaction that is not stored (store=false) cannot be followed')
    return Journey(patience or Patience(), interaction_id, create)


class _State:
    """What is known of the interaction so far; complete once the iteration has ended."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey

    @property
    def id(self) -> str | None:
        """The interaction's id; None until the response to the create has named it."""
        return self._journey.interaction_id

    @property
    def status(self) -> str | None:
        """The last status received."""
        return self._journey.progress.status

    @property
    def cursor(self) -> str | None:
        """The id of the last event that had one; another process could resume from it."""
        return self._journey.progress.cursor

    @property
    def text(self) -> str:
        """The text of the output so far."""
        return self._journey.text()

    @property
    def interaction(self) -> dict[str, Any] | None:
        """The finished interaction with its output steps; None before the end."""
        return self._journey.interaction()

    @property
    def connections(self) -> int:
        """How many streams were requested; 1 if nothing was dropped."""
        return self._journey.connections


class Followed(_State):
    """An iterator of events (decoded JSON objects). To stop early, call `close` or use it in a `with` block."""

    def __init__(self, client: Any, journey: Journey, sleep: Callable[[float], object] | None) -> None:
        super().__init__(journey)
        self._client = client
        self._sleep = sleep
        self._events = self._run()

    def __iter__(self) -> Followed:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        """Close the connection; the interaction continues on the service."""
        self._events.close()

    def __enter__(self) -> Followed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> Any:
        journey = self._journey
        while not journey.over:
            move = journey.move()
            if isinstance(move, Sleep):
                (self._sleep or time.sleep)(move.seconds)
            elif isinstance(move, Poll):
                yield from self._poll(move)
            else:
                yield from self._stream(move)

    def _poll(self, move: Poll) -> Iterator[Event]:
        try:
            interaction = self._client.get(move.id)
        except Exception as error:
            return self._journey.failed(as_drop(error))
        yield from self._journey.polled(interaction)
        return None

    def _stream(self, move: Create | Stream) -> Iterator[Event]:
        journey = self._journey
        try:
            opened = self._client.open(move)
        except Exception as error:
            return journey.failed(as_drop(error))
        try:
            chunks = opened.chunks()
            while not journey.hung_up:
                try:
                    data = next(chunks)
                except StopIteration:
                    break
                except Exception as error:
                    return journey.failed(as_drop(error))
                yield from journey.feed(data)
        finally:
            opened.close()
        return journey.ended()


class AsyncFollowed(_State):
    """An async iterator of events. To stop early, call `aclose` or use it in an `async with` block."""

    def __init__(self, client: Any, journey: Journey, sleep: Callable[[float], Awaitable[object]] | None) -> None:
        super().__init__(journey)
        self._client = client
        self._sleep = sleep
        self._events = self._run()

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

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self) -> Any:
        journey = self._journey
        while not journey.over:
            move = journey.move()
            if isinstance(move, Sleep):
                await (self._sleep or _sleep)(move.seconds)
                continue
            events = self._poll(move) if isinstance(move, Poll) else self._stream(move)
            async with aclosing(events):
                async for event in events:
                    yield event

    async def _poll(self, move: Poll) -> Any:
        try:
            interaction = await self._client.get(move.id)
        except Exception as error:
            self._journey.failed(as_drop(error))
            return
        for event in self._journey.polled(interaction):
            yield event

    async def _stream(self, move: Create | Stream) -> Any:
        journey = self._journey
        try:
            opened = await self._client.open(move)
        except Exception as error:
            journey.failed(as_drop(error))
            return
        try:
            chunks = opened.chunks()
            while not journey.hung_up:
                try:
                    data = await anext(chunks)
                except StopAsyncIteration:
                    break
                except Exception as error:
                    journey.failed(as_drop(error))
                    return
                for event in journey.feed(data):
                    yield event
        finally:
            await opened.close()
        journey.ended()


async def _sleep(seconds: float) -> None:
    import anyio  # a dependency of every supported client

    await anyio.sleep(seconds)
