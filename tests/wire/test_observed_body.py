"""An observed body: the reader gets every piece unchanged; the observer learns of head, chunks and one ending."""

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
    Response,
)
from harness.wire.message import ReadyBody
from harness.wire.observed_body import observe

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
