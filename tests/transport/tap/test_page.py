"""A tap with a page: what the page claims stays here, everything else passes as without a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from harness.transport import ServerThread
from harness.transport.server.server import InThread
from harness.transport.tap.tap import Tap
from harness.wire import Chunk, Ending, Exchange, Framing, Headers, Request, Response
from tests.transport.peers import RawServer, connected, read_to_end, until

PAGE = b"GET /page HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
OTHER = b"GET /other HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


class NotedAnswer:
    """An observer that notes what it is told, in order."""

    def __init__(self, target: str, notes: list[str]) -> None:
        self.target = target
        self.notes = notes

    def note_head(self, status: int, headers: Headers, framing: Framing) -> None:
        self.notes.append(f"{self.target} {status}")

    def note_chunks(self, chunks: Sequence[Chunk], start: int = 0, end: int = 1) -> None:
        self.notes += [chunk.data.decode() for chunk in chunks[start:end]]

    def note_end(self, ending: Ending) -> None:
        self.notes.append(str(ending.how))


class PageHere:
    """A page at `/page`."""

    def claims(self, request: Request) -> bool:
        return request.target == "/page"

    def answer(self, request: Request) -> Response:
        return Response.json(200, b'"the page"')


@contextmanager
def tap_with_page() -> Iterator[tuple[Tap, list[str], list[str]]]:
    """A running tap with a page, what its target was asked, and what its observers were told."""
    asked: list[str] = []
    notes: list[str] = []
    records: list[Exchange] = []

    def target(request: Request) -> Response:
        asked.append(request.target)
        return Response.json(200, b'"the target"')

    with ServerThread(target) as server:
        tap = Tap(
            server.url, records.append, page=PageHere(), observe=lambda request: NotedAnswer(request.target, notes)
        )
        with InThread(tap):
            yield tap, asked, notes


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_page_is_answered_here(size: int) -> None:
    """A request for the page is answered by it, in whatever pieces it comes, and the target never sees it."""
    with tap_with_page() as (tap, asked, notes), connected(tap.port) as sock:
        for start in range(0, len(PAGE), size):
            sock.sendall(PAGE[start : start + size])
        assert read_to_end(sock)[0].endswith(b'"the page"')
        assert (asked, notes) == ([], [])


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("wire", [OTHER, PAGE.replace(b"/page", b"/page2")], ids=["other", "like the page"])
def test_everything_else_passes(wire: bytes, size: int) -> None:
    """A request that is not for the page reaches the target, even if it begins like one, and is observed."""
    with tap_with_page() as (tap, asked, notes), connected(tap.port) as sock:
        for start in range(0, len(wire), size):
            sock.sendall(wire[start : start + size])
        assert read_to_end(sock)[0].endswith(b'"the target"')
        (target,) = asked
        until(lambda: len(notes) == 3)
        assert notes == [f"{target} 200", '"the target"', "complete"]


def test_the_target_is_asked_only_for_what_is_its_own() -> None:
    """A browser opens connections that it may never use, and a target may serve one at a time."""
    with RawServer(lambda connection: None) as server:
        with InThread(Tap(server.url, lambda exchange: None, page=PageHere())) as tap, connected(tap.port) as sock:
            sock.sendall(PAGE)
            assert read_to_end(sock)[0].endswith(b'"the page"')
        assert server.connections == 0


@pytest.mark.parametrize("size", [1, 1000])
def test_a_request_for_the_page_reaches_no_target_on_any_connection(size: int) -> None:
    """On a connection to the target it ends that connection, and a browser asks again on a new one."""
    first = OTHER.replace(b"connection: close\r\n", b"")
    with tap_with_page() as (tap, asked, _), connected(tap.port) as sock:
        sock.sendall(first)
        until(lambda: asked == ["/other"])
        for start in range(0, len(PAGE), size):
            sock.sendall(PAGE[start : start + size])
        received, how = read_to_end(sock)
        assert (received.count(b"HTTP/1.1"), how) == (1, "fin")
        assert asked == ["/other"]
