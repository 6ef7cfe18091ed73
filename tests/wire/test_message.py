"""Requests, headers and responses are values."""

from __future__ import annotations

import pytest

from harness.wire import COMPLETE, Chunk, Ending, Headers, How, Length, PieceBody, Request, Response
from harness.wire.message import is_sendable


def test_headers_compare_without_case_and_keep_their_spelling() -> None:
    """Header names match in any case; order, spelling and repeated fields are preserved."""
    headers = Headers([("Set-Cookie", "a"), ("X-Y", "1"), ("set-cookie", "b")])
    assert headers.get("SET-COOKIE") == "a"
    assert headers.all("set-cookie") == ["a", "b"]
    assert headers.get("none", "fallback") == "fallback"
    assert "x-y" in headers
    assert list(headers) == list(headers.items())
    assert len(headers) == 3


def test_headers_are_changed_by_copy() -> None:
    """`having` replaces all spellings of a field with one, `without` removes them, and `with_length` corrects an
    existing Content-Length in place but never adds one; the original is unchanged.
    """
    headers = Headers([("A", "1"), ("a", "2"), ("b", "3")])
    assert headers.having("A", "9").items() == (("b", "3"), ("A", "9"))
    assert headers.without("A", "B").items() == ()
    assert len(headers) == 3
    assert headers.with_length(7) == headers
    told = Headers([("Content-Length", "5"), ("b", "3")])
    assert told.with_length(7).items() == (("Content-Length", "7"), ("b", "3"))
    assert hash(headers) == hash(Headers(headers.items()))


@pytest.mark.parametrize(
    ("name", "value", "sendable"),
    [("x-y", "a b", True), ("x y", "1", False), ("", "1", False), ("x:", "1", False), ("x", "a\nb", False),
     ("x", "a\rb", False), ("x", "a\0", False), ("x", "", True)],
)  # fmt: skip
def test_a_field_that_can_be_sent(name: str, value: str, sendable: bool) -> None:
    """A field can be sent only if its name is a token and its value is a single line."""
    assert is_sendable(name, value) is sendable


@pytest.mark.parametrize(
    ("value", "media"), [("Text/Event-Stream; charset=utf-8", "text/event-stream"), ("", ""), (" a/b ", "a/b")]
)
def test_media_type(value: str, media: str) -> None:
    """The media type is returned in lower case and without parameters."""
    assert Headers([("Content-Type", value)]).media_type() == media
    assert Headers().media_type() == ""


def test_a_target_is_split_without_losing_encoded_slashes() -> None:
    """A segment with an encoded slash stays one segment, and the raw path stays as it was sent."""
    request = Request("GET", "/v1/x/a%2Fb%20c?q=1&q=2&e=&plus=a+b")
    assert request.segments == ("v1", "x", "a/b c")
    assert request.raw_path == "/v1/x/a%2Fb%20c"
    assert request.path == "/v1/x/a/b c"
    assert request.query == [("q", "1"), ("q", "2"), ("e", ""), ("plus", "a b")]
    assert (request.parameter("q"), request.parameter("e"), request.parameter("none")) == ("2", "", None)


def test_a_body_closes_once() -> None:
    """`close` can be called repeatedly, runs its callback once and ends the iteration."""
    closed: list[int] = []
    body = PieceBody([Chunk(b"a"), COMPLETE], lambda: closed.append(1))
    assert next(body) == Chunk(b"a")
    body.close()
    body.close()
    assert closed == [1]
    assert list(body) == []


@pytest.mark.parametrize(("data", "pieces"), [(b"abc", [Chunk(b"abc"), COMPLETE]), (b"", [COMPLETE])])
def test_a_whole_response_promises_its_length(data: bytes, pieces: list[object]) -> None:
    """A response made from bytes declares their length and ends as complete."""
    response = Response.whole(200, Headers(), data)
    assert response.framing == Length(len(data))
    assert list(response.body) == pieces


def test_a_dead_connection_is_a_response_of_one_ending() -> None:
    """A connection that dies before the headers is represented as a response with a single ending."""
    assert list(Response.dead(Ending(how=How.RST)).body) == [Ending(how=How.RST)]


def test_json_is_labelled_as_such() -> None:
    """A JSON response has its content-type first, followed by any further headers."""
    assert Response.json(200, b"{}").headers == Headers([("content-type", "application/json")])
    refusal = Response.json(429, b"{}", [("retry-after", "1")])
    assert refusal.headers == Headers([("content-type", "application/json"), ("retry-after", "1")])
    assert (refusal.status, refusal.framing) == (429, Length(2))
