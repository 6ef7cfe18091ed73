"""The record of an exchange reports exactly what passed but keeps only a bounded part of it."""

from __future__ import annotations

import hashlib

import pytest

from harness.wire import COMPLETE, At, Chunk, Chunked, Ending, ExchangeBuilder, Headers, How, Request, message

REQUEST = Request("GET", "/")


def test_a_record_tells_what_passed() -> None:
    """A record has the body, size, digest, arrivals and ending of the chunks it was given."""
    recorder = ExchangeBuilder(REQUEST)
    recorder.head(200, Headers([("a", "b")]), Chunked())
    recorder.chunk(Chunk(b"ab"), 0.1)
    recorder.chunk(Chunk(b"c"), 0.2)
    record = recorder.finish(COMPLETE, 0.3)
    assert (record.status, record.body, record.size, record.truncated) == (200, b"abc", 3, False)
    assert record.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert (list(record.arrivals.sizes), list(record.arrivals.moments)) == ([2, 1], [0.1, 0.2])
    assert (record.framing, record.seconds, record.complete) == (Chunked(), 0.3, True)


def test_a_record_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limits a record stops keeping bytes, but still updates size, digest and count."""
    monkeypatch.setattr(message, "KEPT_BYTES", 5)
    monkeypatch.setattr(message, "KEPT_PIECES", 2)
    recorder = ExchangeBuilder(REQUEST)
    recorder.head(200, Headers(), Chunked())
    for _ in range(4):
        recorder.chunk(Chunk(b"abc"), 0.0)
    record = recorder.finish(COMPLETE, 1.0)
    assert (record.body, record.size, record.truncated) == (b"abcab", 12, True)
    assert record.sha256 == hashlib.sha256(b"abc" * 4).hexdigest()
    assert (len(record.arrivals.sizes), record.arrivals.count) == (2, 4)


def test_no_head_is_no_complete_answer() -> None:
    """Without a response head there is no status and no complete response, even after an orderly end."""
    record = ExchangeBuilder(REQUEST).finish(COMPLETE, 0.0)
    assert (record.status, record.complete) == (None, False)


def test_only_a_satisfied_framing_is_complete() -> None:
    """A response whose connection closed before its framing was satisfied is not complete."""
    recorder = ExchangeBuilder(REQUEST)
    recorder.head(200, Headers(), Chunked())
    assert not recorder.finish(Ending(how=How.FIN), 0.0).complete


@pytest.mark.parametrize(
    ("status", "succeeded"), [(None, False), (101, False), (200, True), (299, True), (300, False), (503, False)]
)
def test_a_2xx_is_a_success(status: int | None, succeeded: bool) -> None:
    """Only a 2xx status is a success; an exchange without a response is not."""
    recorder = ExchangeBuilder(REQUEST)
    if status is not None:
        recorder.head(status, Headers(), Chunked())
    assert recorder.finish(COMPLETE, 0.0).succeeded is succeeded


def test_an_ending_in_words() -> None:
    """The words of an ending say how and where the connection ended."""
    assert Ending(how=How.RST, at=At.BEFORE_HEADERS).words == "the server reset the connection before the headers"


def test_the_reason_phrase_is_part_of_the_record() -> None:
    """A record keeps the reason phrase as it was received; without a head it is empty."""
    recorder = ExchangeBuilder(REQUEST)
    assert recorder.finish(COMPLETE, 0.0).reason == ""
    recorder.head(404, Headers(), Chunked(), "Gone Fishing")
    assert recorder.finish(COMPLETE, 0.0).reason == "Gone Fishing"


def test_identity_is_equality() -> None:
    """Two records of the same bytes are not equal, and each has its own notes."""
    one, other = (ExchangeBuilder(REQUEST).finish(COMPLETE, 0.0) for _ in range(2))
    assert one != other
    one.notes["reader"] = 1
    assert other.notes == {}
