"""The tee: the client gets what its own transport gives, and the sink gets the same."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from harness.cassette import Recording
from harness.transport import ServerThread, async_tee_transport, tee_transport
from harness.wire import COMPLETE, At, By, Chunk, Ending, Exchange, How, Length
from tests.transport.endings_table import CASES, DEAD
from tests.transport.inprocess.test_httpx_transport import Seen, read_async, read_sync
from tests.transport.peers import Serving

ENDING = {name: case for name, case in {**CASES, **DEAD}.items() if case.closing != "stall"}

BLURRED = frozenset({"chunked fin in size line", "bad before headers"})
"""Endings that the libraries' own parser confuses: it takes a FIN for broken HTTP, or the reverse."""


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    """Each library in turn."""
    return pytest.importorskip(request.param)  # type: ignore[no-any-return]


def fetch(library: Any, url: str, sink: Any) -> Seen:
    """The bytes that a sync client gets through a tee, and the name of the exception."""
    return read_sync(library, url, tee_transport(library.HTTPTransport(), sink, module=library), 5.0)


def fetch_async(library: Any, url: str, sink: Any) -> Seen:
    """The same with an async client."""
    carrier = async_tee_transport(library.AsyncHTTPTransport(), sink, module=library)
    return read_async(library, url, carrier, 5.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fetching", "library"),
    [
        (fetch, "httpx"),
        (fetch_async, "httpx2"),
        *(
            pytest.param(*other, marks=pytest.mark.thorough)
            for other in ((fetch, "httpx2"), (fetch_async, "httpx"))
        ),
    ],
    indirect=["library"],
)
@pytest.mark.parametrize("name", ENDING)
def test_client_and_record_agree(name: str, fetching: Any, library: ModuleType) -> None:
    """The client raises the same as without a tee; the record has every byte, and who ended it how."""
    case = ENDING[name]
    seen: list[Exchange] = []
    with ServerThread(Serving(*case.pieces, framing=case.framing)) as server:
        got = fetching(library, server.url, seen.append)
    assert got == (case.body, case.error or None)
    (exchange,) = seen
    assert exchange.body == case.body
    assert exchange.ending.by is case.ending.by
    assert exchange.ending.how in ({How.FIN, How.BAD_HTTP} if name in BLURRED else {case.ending.how})
    assert (exchange.status is None) is (name in DEAD)


def test_a_client_that_stops_reading_is_the_one_who_ended_it(library: Any) -> None:
    """A hang-up in the middle of a body is recorded once, as the client's ending."""
    seen: list[Exchange] = []
    serving = Serving(Chunk(b"ab"), Ending(how=How.STALL))
    with ServerThread(serving) as server:
        transport = tee_transport(library.HTTPTransport(), seen.append, module=library)
        with library.Client(transport=transport) as client, client.stream("GET", server.url) as answer:
            assert next(answer.iter_raw()) == b"ab"
    assert [exchange.ending for exchange in seen] == [Ending(By.CLIENT, How.FIN, At.IN_BODY)]


def test_a_client_that_ran_out_of_patience_is_recorded_as_a_limit(library: Any) -> None:
    """A read timeout is recorded as the client's limit, not as the server's ending."""
    seen: list[Exchange] = []
    with ServerThread(Serving(Chunk(b"ab"), Ending(how=How.STALL), framing=Length(9))) as server:
        transport = tee_transport(library.HTTPTransport(), seen.append, module=library)
        patience = library.Timeout(30, read=1)
        with library.Client(transport=transport, timeout=patience) as client, pytest.raises(library.ReadTimeout):
            client.get(server.url)
    ending = seen[0].ending
    assert (ending.by, ending.how, ending.declared, ending.sent) == (By.LIMIT, How.TIMEOUT, 9, 2)


def test_what_it_tells_is_a_recording(library: Any) -> None:
    """A reported exchange converts to a recording with its reason phrase and pieces."""
    seen: list[Exchange] = []
    with ServerThread(Serving(Chunk(b"ab"), Chunk(b"cde"))) as server:
        fetch(library, server.url, seen.append)
    recording = Recording.of(seen[0], decoded=False)
    assert (recording.reason, list(recording.pieces.sizes)) == ("OK", [2, 3])
    assert recording.ending == COMPLETE


def test_nobody_there(library: Any) -> None:
    """A refused connection is recorded as an exchange without a response."""
    seen: list[Exchange] = []
    assert fetch(library, "http://127.0.0.1:1", seen.append) == (b"", "ConnectError")
    assert (seen[0].status, seen[0].ending.how) == (None, How.REFUSED)
