"""A link's back-pressure, tested without sockets: the link stops reading what it cannot forward."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from harness.transport.tap.exchange_tracker import Wiretap
from harness.transport.tap.link import TapLink
from harness.wire import Exchange
from tests.transport.peers import get


class Noted(asyncio.Transport):
    """A transport that accepts every write, and notes whether reading is paused."""

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

    def close(self) -> None:
        pass


class Board:
    """A tap whose dialling never finishes."""

    async def dial(self, link: TapLink) -> None:
        await asyncio.get_running_loop().create_future()

    def keep(self, exchanges: Iterable[Exchange]) -> Awaitable[object] | None:
        return None

    def over(self, link: TapLink) -> None:
        pass

    def note_loss(self, reason: str) -> None:
        pass


def new_link(board: Board | None = None) -> TapLink:
    """A link of a tap."""
    return TapLink(board or Board(), Wiretap("target", most=1 << 20))


def test_a_client_that_says_much_before_there_is_an_upstream_is_not_read_on() -> None:
    """At most a quarter of a mebibyte is read before there is an upstream; then all of it is sent, in order."""

    async def play() -> None:
        link, client, upstream = new_link(), Noted(), Noted()
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
    """A side is read again only when every reason to pause it is gone."""

    async def play() -> None:
        link, client, upstream = new_link(), Noted(), Noted()
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
