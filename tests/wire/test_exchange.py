"""The record of an exchange: exact about what passed, bounded in what it keeps."""

from __future__ import annotations

import hashlib

import pytest

from harness.wire import COMPLETE, At, Chunk, Chunked, Ending, Headers, How, Recorder, Request, exchange

REQUEST = Request("GET", "/")


def test_a_record_tells_what_passed() -> None:
    """Body, size, digest, arrivals and ending are those of the pieces."""
    recorder = Recorder(REQUEST)
    recorder.head(200, Headers([("a", "b")]), Chunked())
    recorder.chunk(Chunk(b"ab"), 0.1)
    recorder.chunk(Chunk(b"c"), 0.2)
    record = recorder.finish(COMPLETE, 0.3)
    assert (record.status, record.body, record.size, record.truncated) == (200, b"abc", 3, False)
    assert record.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert (list(record.arrivals.sizes), list(record.arrivals.moments)) == ([2, 1], [0.1, 0.2])
    assert (record.framing, record.seconds, record.complete) == (Chunked(), 0.3, True)


def test_a_record_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bounds only size, digest and count go on."""
    monkeypatch.setattr(exchange, "KEPT_BYTES", 5)
    monkeypatch.setattr(exchange, "KEPT_PIECES", 2)
    recorder = Recorder(REQUEST)
    recorder.head(200, Headers(), Chunked())
    for _ in range(4):
        recorder.chunk(Chunk(b"abc"), 0.0)
    record = recorder.finish(COMPLETE, 1.0)
    assert (record.body, record.size, record.truncated) == (b"abcab", 12, True)
    assert record.sha256 == hashlib.sha256(b"abc" * 4).hexdigest()
    assert (len(record.arrivals.sizes), record.arrivals.count) == (2, 4)


def test_no_head_is_no_complete_answer() -> None:
    """Without a response head there is no status, however orderly the connection ended."""
    record = Recorder(REQUEST).finish(COMPLETE, 0.0)
    assert (record.status, record.complete) == (None, False)


def test_only_a_satisfied_framing_is_complete() -> None:
    """An answer that was cut is not complete."""
    recorder = Recorder(REQUEST)
    recorder.head(200, Headers(), Chunked())
    assert not recorder.finish(Ending(how=How.FIN), 0.0).complete


@pytest.mark.parametrize(
    ("status", "succeeded"), [(None, False), (101, False), (200, True), (299, True), (300, False), (503, False)]
)
def test_a_2xx_is_a_success(status: int | None, succeeded: bool) -> None:
    """Nothing else is, and no answer least of all."""
    recorder = Recorder(REQUEST)
    if status is not None:
        recorder.head(status, Headers(), Chunked())
    assert recorder.finish(COMPLETE, 0.0).succeeded is succeeded


def test_an_ending_in_words() -> None:
    """How and where, as messages tell it."""
    assert Ending(how=How.RST, at=At.BEFORE_HEADERS).words == "rst before headers"


def test_the_reason_phrase_is_part_of_the_record() -> None:
    """As it came with the head; without a head there is none."""
    recorder = Recorder(REQUEST)
    assert recorder.finish(COMPLETE, 0.0).reason == ""
    recorder.head(404, Headers(), Chunked(), "Gone Fishing")
    assert recorder.finish(COMPLETE, 0.0).reason == "Gone Fishing"


def test_identity_is_equality() -> None:
    """Two records of the same bytes are two records, and their notes are their own."""
    one, other = (Recorder(REQUEST).finish(COMPLETE, 0.0) for _ in range(2))
    assert one != other
    one.notes["reader"] = 1
    assert other.notes == {}
