"""Requests, headers and responses are values."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.wire import (
    COMPLETE,
    At,
    By,
    Chunk,
    Chunked,
    Ending,
    Framing,
    Headers,
    How,
    Length,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
)
from harness.wire.message import ReadyBody, is_sendable, observe


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


@pytest.mark.parametrize(("data", "pieces"), [(b"abc", [Chunk(b"abc"), COMPLETE]), (b"", [COMPLETE])])
def test_a_whole_response_promises_its_length(data: bytes, pieces: list[object]) -> None:
    """A response made from bytes declares their length and ends as complete."""
    response = Response.whole(200, Headers(), data)
    assert response.framing == Length(len(data))
    assert list(response.body) == pieces


# An observed body: the reader gets every piece unchanged; the observer learns of head, chunks and one ending.


HEADERS = Headers((("content-type", "text/plain"),))
RESET = Ending(how=How.RST)
NOTHING = Ending(how=How.RST, at=At.BEFORE_HEADERS)


class NotingObserver:
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        self.notes: list[object] = []
        self.runs: list[Sequence[Chunk]] = []

    def note_head(self, status: int, headers: Headers, framing: Framing) -> None:
        self.notes.append((status, headers, framing))

    def note_chunks(self, chunks: Sequence[Chunk], start: int = 0, end: int = 1) -> None:
        self.runs.append(chunks[start:end])
        self.notes += chunks[start:end]

    def note_end(self, ending: Ending) -> None:
        self.notes.append(ending)


def observed(pieces: list[Piece], framing: Framing) -> tuple[Response, NotingObserver, list[str]]:
    """A response that is observed, its observer, and a list that notes when its service's body is closed."""
    observer, closings = NotingObserver(), list[str]()
    body = PieceBody(pieces, lambda: closings.append("closed"))
    return observe(Response(200, HEADERS, framing, body), observer), observer, closings


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        (
            [Chunk(b"a"), Pause(1.0), Chunk(b"b"), COMPLETE],
            [(200, HEADERS, Chunked()), Chunk(b"a"), Chunk(b"b"), COMPLETE],
        ),
        ([Pause(1.0), RESET], [(200, HEADERS, Chunked()), RESET]),
        ([NOTHING], [NOTHING]),
    ],
    ids=["a stream", "a reset", "no answer"],
)
def test_what_is_read_is_told_and_unchanged(pieces: list[Piece], told: list[object]) -> None:
    """The reader gets the pieces as they are; the observer gets the head, if one goes out, chunks and ending."""
    response, observer, closings = observed(pieces, Chunked())
    assert list(response.body) == pieces
    response.body.close()
    assert observer.notes == told
    assert closings == ["closed"]


def test_a_reader_that_leaves_is_told_as_such() -> None:
    """A close before the ending is a client that hung up, and it reaches the service."""
    response, observer, closings = observed([Chunk(b"a"), Chunk(b"b"), COMPLETE], Chunked())
    next(response.body)
    response.body.close()
    response.body.close()
    assert isinstance(end := observer.notes[-1], Ending)
    assert (end.by, end.how) == (By.CLIENT, How.FIN)
    assert len(observer.notes) == 3
    assert closings == ["closed"]


def test_a_body_whose_length_is_there_is_complete() -> None:
    """A carrier need not pull the ending of a body whose declared length it has: that is no hang-up."""
    response, observer, _ = observed([Chunk(b"ab"), COMPLETE], Length(2))
    next(response.body)
    response.body.close()
    assert observer.notes[-1] == COMPLETE


def test_the_framing_is_the_one_that_is_written() -> None:
    """A wrapper may settle the framing after the body was observed; the observer is told that one."""
    response, observer, _ = observed([Chunk(b"ab"), COMPLETE], Chunked())
    response.framing = Length(2)
    list(response.body)
    assert observer.notes[0] == (200, HEADERS, Length(2))


def test_chunks_that_are_ready_are_noted_as_one_run() -> None:
    """A carrier may take many chunks at once: the observer gets them with one call, and the head before them."""
    observer = NotingObserver()
    chunks = [Chunk(b"a"), Chunk(b"b"), Chunk(b"c")]
    response = observe(Response(200, HEADERS, Chunked(), ReadyBody(chunks)), observer)
    taken = [*response.body.take_run(2), *response.body.take_run(2), *response.body.take_run(2)]  # type: ignore[attr-defined]
    assert taken == chunks
    assert observer.runs == [chunks[:2], chunks[2:]]
    assert list(response.body) == [COMPLETE]
    assert observer.notes == [(200, HEADERS, Chunked()), *chunks, COMPLETE]


def test_chunks_that_come_piece_by_piece_are_noted_as_runs_too() -> None:
    """A run goes up to a piece of another kind, or to as many chunks as are wanted; nothing is lost between."""
    half = Chunk(b"c", declared=9)
    pieces: list[Piece] = [Chunk(b"a"), Chunk(b"b"), Pause(1.0), Chunk(b"d"), Chunk(b"e"), half, RESET]
    response, observer, _ = observed(pieces, Chunked())
    body = response.body
    taken: list[Piece] = []
    while not taken or taken[-1] is not RESET:
        taken += body.take_run(1 if len(taken) == 3 else 16) or [next(body)]  # type: ignore[attr-defined]
    assert taken == pieces
    assert [list(run) for run in observer.runs] == [pieces[:2], [pieces[3]], [pieces[4]], [half]]
    assert observer.notes == [(200, HEADERS, Chunked()), pieces[0], pieces[1], *pieces[3:]]
