"""The request reader gives the same requests however the bytes are split; limits of an exchange."""

from __future__ import annotations

import pytest

from harness.errors import BadHead, BadRequest
from harness.transport import Limits
from harness.transport.http1.reader import (
    HeadCache,
    Incoming,
    RequestReader,
    ServerLimits,
    parse_fields,
    parse_request_head,
)

POST = b"POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\n"
EXPECTING = POST.replace(b"host: h", b"host: h\r\nexpect: 100-continue")
REQUESTS = {
    "no body": (b"GET /p HTTP/1.1\r\nhost: h\r\n\r\n", b""),
    "a body with a length": (POST + b"abc", b"abc"),
    "a blank line in the body": (POST.replace(b" 3", b" 4") + b"\r\n\r\n", b"\r\n\r\n"),
    "a body in chunks": (
        b"POST /p HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        b"abc",
    ),
    "expecting 100": (EXPECTING + b"abc", b"abc"),
}


def reader(**limits: int) -> RequestReader:
    """A reader with a cache of its own."""
    return RequestReader(HeadCache(), ServerLimits(**limits))


def taken(reading: RequestReader, data: bytes) -> Incoming | None:
    """Read the bytes of one arrival as a connection does: by the shortcut if possible, else step by step."""
    incoming = reading.at_once(data)
    if incoming is None:
        reading.feed(data)
        incoming = reading.take()
    return incoming


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_the_same_however_it_is_cut_and_repeated(name: str, step: int) -> None:
    """A new head and a cached head give the same request; nothing of one request is left for the next."""
    wire, body = REQUESTS[name]
    reading = reader()
    for _ in range(3):
        seen = [taken(reading, wire[at : at + step]) for at in range(0, len(wire), step)]
        assert [incoming.request.body if incoming else None for incoming in seen] == [None] * (len(seen) - 1) + [
            body
        ]
        assert not reading.begun
        assert not reading.expects()


def test_the_short_cut_needs_a_known_head_and_the_whole_request() -> None:
    """It declines a new head, part of a request, two requests at once, and any while another is under way."""
    reading = reader()
    assert reading.at_once(POST + b"abc") is None
    taken(reading, POST + b"abc")
    first = reading.at_once(POST + b"abc")
    assert first is not None
    assert first.request.body == b"abc"
    for data in (POST + b"ab", POST + b"abcd", (POST + b"abc") * 2, b"\r\n" + POST + b"abc", b"", b"\r\n\r\n"):
        assert reading.at_once(data) is None
    reading.feed(POST[:10])
    assert reading.at_once(POST + b"abc") is None


def test_a_known_head_is_refused_again_when_its_body_is_too_long() -> None:
    """The bound on bodies also holds for the shortcut."""
    reading = reader(body_bytes=2)
    for _ in range(2):
        assert reading.at_once(POST + b"abc") is None
        with pytest.raises(BadRequest, match="exceeds 2"):
            taken(reading, POST + b"abc")
        reading = RequestReader(reading._cache, ServerLimits(body_bytes=2))


def test_100_continue_is_asked_for_only_while_the_body_is_missing() -> None:
    """`expects` is true once per request, and never for one whose body came with its head."""
    reading = reader()
    assert taken(reading, EXPECTING) is None
    assert [reading.expects(), reading.expects()] == [True, False]
    assert taken(reading, b"abc") is not None
    assert taken(reading, EXPECTING + b"abc") is not None
    assert not reading.expects()


FRAMINGS = [
    b"transfer-encoding: \x0bchunked",
    b"transfer-encoding: chunked\x0c",
    b"transfer-encoding: chunked,\x85chunked",
    b"content-length: \x0b4",
    b"content-length: 4,\xa04",
]


@pytest.mark.parametrize("field", FRAMINGS, ids=repr)
def test_what_only_python_takes_for_a_blank_is_refused(field):
    """A proxy before this server would frame such a request in another way, and pass on a second one inside it."""
    with pytest.raises(BadHead):
        parse_request_head(b"POST /p HTTP/1.1\r\nhost: h\r\n" + field + b"\r\n\r\n")


@pytest.mark.parametrize("line", [" {}", "{}", "X Key: {}", "\t{}"])
def test_a_line_that_is_no_field_is_not_repeated(line: str) -> None:
    """The error repeats neither a folded value nor a line without a valid field name: it may be a key."""
    with pytest.raises(BadHead) as refused:
        parse_fields([line.format("zq1canary0123456789abc")])
    assert "zq1ca" not in str(refused.value)


def test_within_bounds_the_whole_exchange() -> None:
    """A timeout replaces every wait, even a shorter one, but only shortens connecting; None changes nothing."""
    limits = Limits(connect_seconds=2, idle_seconds=1)
    longer = limits.within(900)
    assert (longer.total_seconds, longer.idle_seconds, longer.head_seconds) == (900, 900, 900)
    assert (longer.connect_seconds, limits.within(1).connect_seconds) == (2, 1)
    assert limits.within(None) is limits
    assert limits.within(3).name_wait("idle_seconds") == "3 s for the whole request"
    told = Limits(option="--timeout").within(3).name_wait("idle_seconds")
    assert told == "3 s for the whole request, --timeout gives more"
