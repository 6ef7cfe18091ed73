"""A link's back-pressure, played without sockets: what cannot be sent on is not read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from harness.transport.tap_link import Link
from harness.wire import Exchange
from tests.transport.peers import get


class Noted(asyncio.Transport):
    """A transport that takes everything, and knows whether anybody reads from it."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        pass


class Board:
    """A tap whose target does not answer the phone."""

    authority = "target"
    encoding = None
    most = 1 << 20

    async def dial(self, protocol: asyncio.Protocol) -> None:
        await asyncio.get_running_loop().create_future()

    def keep(self, exchanges: Iterable[Exchange]) -> Awaitable[object] | None:
        return None

    def over(self, link: Link) -> None:
        pass

    def lost(self, reason: str) -> None:
        pass


def test_a_client_that_says_much_before_there_is_an_upstream_is_not_read_on() -> None:
    """A quarter of a mebibyte waits for the connection, no more; once it stands all of it goes out in order."""

    async def play() -> None:
        link, client, upstream = Link(Board()), Noted(), Noted()
        link.client_came(client)
        head = get(content_length="1000000").replace(b"GET", b"POST", 1)
        link.from_client(head + b"a" * 200_000)
        assert client.reading
        link.from_client(b"b" * 100_000)
        assert not client.reading
        link.upstream_came(upstream)
        assert client.reading
        assert upstream.written.endswith(b"a" * 200_000 + b"b" * 100_000)
        await asyncio.gather(*link.stop(), return_exceptions=True)

    asyncio.run(play())


def test_a_side_that_is_full_stops_the_other() -> None:
    """As long as there is one reason not to read, nobody reads."""

    async def play() -> None:
        link, client, upstream = Link(Board()), Noted(), Noted()
        link.client_came(client)
        link.upstream_came(upstream)
        link.hush("upstream", "full")
        link.hush("upstream", "keeping")
        link.unhush("upstream", "full")
        assert (client.reading, upstream.reading) == (True, False)
        link.unhush("upstream", "keeping")
        assert upstream.reading
        await asyncio.gather(*link.stop(), return_exceptions=True)

    asyncio.run(play())
