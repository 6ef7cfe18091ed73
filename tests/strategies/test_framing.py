"""The same events in any framing, and cuts of streams."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.strategies import EventStream, cuts, event_streams, splits, wire_framings
from harness.wire import Decoder
from tests.strategies.drawing import draws

DRESSED = event_streams().flatmap(lambda stream: st.tuples(st.just(stream), wire_framings(stream)))


def decoded(pieces: list[bytes]) -> list[tuple[str, bytes]]:
    """Event names and payloads, decoded from pieces."""
    decoder = Decoder()
    return [((frame.event or b"").decode(), frame.data) for piece in pieces for frame in decoder.feed(piece)]


@pytest.mark.slow
def test_a_framing_carries_the_same_events() -> None:
    """Whatever the line endings, comments, fields and pieces, the decoder returns the original payloads."""
    for stream, pieces in draws(DRESSED, 100):
        assert decoded(pieces) == stream.payloads()


@pytest.mark.slow
def test_framings_differ() -> None:
    """Every line ending, byte order marks and comments are drawn."""
    data = [b"".join(pieces) for _, pieces in draws(DRESSED, 100)]
    assert any(b"\r\n" in stream for stream in data)
    assert any(b"\r" in stream and b"\n" not in stream for stream in data)
    assert any(stream.startswith(b"\xef\xbb\xbf") for stream in data)
    assert any(b": keepalive" in stream for stream in data)


@pytest.mark.parametrize("give", [EventStream.data, EventStream.payloads], ids=["bytes", "pairs"])
def test_a_framing_takes_streams_bytes_or_pairs(give: object) -> None:
    stream = draws(event_streams(), 10)[-1]
    for pieces in draws(wire_framings(give(stream)), 10):  # type: ignore[operator]
        assert decoded(pieces) == stream.payloads()


@settings(database=None, derandomize=True, deadline=None)
@given(st.data(), st.binary(max_size=80))
def test_cuts_and_splits_stay_inside(data: st.DataObject, stream: bytes) -> None:
    assert 0 <= data.draw(cuts(stream)) <= len(stream)
    assert b"".join(data.draw(splits(stream))) == stream


def test_cuts_hit_the_middle_of_a_character() -> None:
    """Cuts inside a four-byte character are drawn often."""
    stream = b"data: " + b"a" * 500 + "🦊\n\n".encode()
    middle = set(range(507, 510))
    assert middle & set(draws(cuts(stream), 60))
