"""Messages that two readers of HTTP could frame in two ways: every parser of `harness` refuses them."""

from __future__ import annotations

import pytest

from harness.errors import BadRequest
from harness.transport.http1.reader import HeadCache, Incoming, RequestReader, ResponseReader, ServerLimits
from harness.wire import How
from tests.in_one_test import in_one_test

INNER = b"GET /inner HTTP/1.1\r\nhost: h\r\n\r\n"
CHUNKED = b"POST /p HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
BODIES = {
    "a bare LF behind a size": b"2\nab\r\n0\r\n\r\n",
    "a bare LF in an extension": b"2;x\n;y\r\nab\r\n0\r\n\r\n",
    "a bare LF behind a chunk": b"2\r\nab\n0\r\n\r\n",
    "a bare LF behind the last size": b"0\n\r\n",
    "a bare LF behind a trailer": b"0\r\nt: u\n\r\n",
    "a bare CR in a trailer": b"0\r\nt: u\rv\r\n\r\n",
    "a request as a trailer": b"0\r\n" + INNER,
    "a sign before a size": b"+2\r\nab\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"10000000000000002\r\nab\r\n0\r\n\r\n",
}
HEADS = {
    "a bare CR behind the last field": b"GET /p HTTP/1.1\r\nhost: h\r\r\n\r\n",
    "a bare CR in a field": b"GET /p HTTP/1.1\r\nhost: h\rx: y\r\n\r\n",
    "a bare LF behind the request line": b"GET /p HTTP/1.1\nhost: h\r\n\r\n",
    "a bare LF before a length": b"POST /p HTTP/1.1\r\nhost: h\r\na: b\ncontent-length: 41\r\n\r\n",
    "chunks in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0") + b"2\r\nab\r\n0\r\n\r\n",
    "no coding": b"POST /p HTTP/1.1\r\nhost: h\r\ntransfer-encoding:\r\ncontent-length: 2\r\n\r\nab",
    "a length and chunks": CHUNKED.replace(b"host", b"content-length: 2\r\nhost") + b"2\r\nab\r\n0\r\n\r\n",
    "a blank before a colon": CHUNKED.replace(b"encoding:", b"encoding :") + b"2\r\nab\r\n0\r\n\r\n",
}
REQUESTS = {**HEADS, **{name: CHUNKED + body for name, body in BODIES.items()}}


@in_one_test(name=REQUESTS, step=[1, 1000])
def test_no_server_takes_a_request_that_two_readers_frame_in_two_ways(name: str, step: int) -> None:
    """`serve`, `replay` and `proxy` refuse it, however it is split, and take no request that may be inside it."""
    wire, taken = REQUESTS[name] + INNER, []
    with pytest.raises(BadRequest):
        take_all(wire, step, taken)
    assert not any(taken)


def take_all(wire: bytes, step: int, taken: list[Incoming | None]) -> None:
    """Read the requests of one connection, to which `step` bytes come at a time."""
    reader = RequestReader(HeadCache(), ServerLimits())
    for at in range(0, len(wire), step):
        reader.feed(wire[at : at + step])
        taken.append(reader.take())


@in_one_test(name=BODIES, step=[1, 1000])
def test_a_response_that_two_readers_frame_in_two_ways_is_broken(name: str, step: int) -> None:
    """Of an upstream or a target, it ends as broken HTTP, where a run reports it, and never as complete."""
    reader = ResponseReader("GET")
    wire = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + BODIES[name]
    for at in range(0, len(wire), step):
        reader.feed(wire[at : at + step])
    assert reader.ended is not None
    assert reader.ended.how is How.BAD_HTTP
    assert reader.ended.detail
