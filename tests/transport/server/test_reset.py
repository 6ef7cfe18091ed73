"""A reset waits until the bytes before it are delivered, and makes kernels acknowledge them without delay."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from harness.transport.server.connection import reset_after
from tests.transport.peers import read_to_end


class Segments:
    """A transport over a socket that sends each write at once as one segment, and remembers it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.written: list[bytes] = []
        self.reset = False

    def write(self, data: bytes) -> None:
        """Send."""
        if data:
            self.written.append(data)
            self._sock.sendall(data)

    def abort(self) -> None:
        """Close."""
        self.reset = True
        self._sock.close()

    def get_extra_info(self, name: str) -> socket.socket:
        """The socket."""
        return self._sock

    def is_closing(self) -> bool:
        """Once aborted."""
        return self.reset

    def get_write_buffer_size(self) -> int:
        """Nothing waits here."""
        return 0


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname(), timeout=30)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with one, listener.accept()[0] as other:
            yield one, other


@pytest.mark.parametrize(
    ("acknowledged", "segments"),
    [(True, [b"abc", b"d", b"e"]), (False, [b"abc", b"de"])],
    ids=["at once", "late"],
)
def test_the_last_segments_are_two_that_nobody_has_acknowledged(
    acknowledged: bool, segments: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last two bytes are held back, and sent together if earlier ones are unacknowledged, else one by one."""
    with pair() as (one, _):
        transport = Segments(one)

        def undelivered(sock: socket.socket) -> int:
            return 0 if acknowledged or transport.written[-1] == b"de" else 1

        monkeypatch.setattr("harness.transport.server.connection.count_undelivered", undelivered)
        asyncio.run(reset_after(cast("asyncio.Transport", transport), b"abcde", seconds=5))
        assert transport.written == segments
        assert transport.reset


@pytest.mark.parametrize("data", [b"", b"a", b"ab"])
def test_few_bytes_arrive_as_well(data: bytes) -> None:
    """With two bytes or fewer, nothing is lost or written twice."""
    with pair() as (one, other):
        asyncio.run(reset_after(cast("asyncio.Transport", Segments(one)), data, seconds=5))
        assert read_to_end(other) == (data, "rst")


def test_a_connection_that_is_gone_is_not_written_to() -> None:
    """If the peer goes before the reset is due, nothing is written: on some event loops writing would raise."""

    async def play(segments: Segments) -> None:
        segments.abort()
        await reset_after(cast("asyncio.Transport", segments), b"abc", seconds=0.1)

    with pair() as (one, _):
        asyncio.run(play(segments := Segments(one)))
    assert segments.written == []
