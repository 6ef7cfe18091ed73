"""Under odd input the stream judge never raises, and explains no more than it reports."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import StreamJudge, load
from harness.contract.transcript import assemble_steps
from harness.wire import encode
from tests.contract.streams import WHOLE, broken, completed, created, delta, frames, judge, start, stop

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("interaction", "interaction_id", "status", "index", "step", "delta", "error", "event_id", "event_type")
EVENTS = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
    st.tuples(st.sampled_from(WHOLE), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=2)).map(
        lambda pair: {**pair[0], **pair[1]}
    ),
    st.sampled_from(WHOLE),
)


@given(st.lists(EVENTS, max_size=8), st.sampled_from(["fresh", "replay", "resumed"]))
@pytest.mark.slow
def test_any_events_are_judged_the_same_however_cut(events: list[object], begin: str) -> None:
    stream = frames(events)
    whole = judge(stream, start=begin)
    apart = judge(stream, start=begin, feed=1)
    assert (apart.findings, apart.counts, apart.statuses) == (whole.findings, whole.counts, whole.statuses)
    assemble_steps([event for event in events if isinstance(event, dict)], load())  # raises for none of them


ODD = {
    "deep": b'{"event_type":"step.delta","index":0,"delta":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "quite deep": b'{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"","x":'
    + b"[" * 300
    + b"]" * 300
    + b"}}",
    "huge integer": b'{"event_type":"step.stop","index":' + b"9" * 4000 + b"}",
    "huge float": b'{"event_type":"step.stop","index":1e999}',
    "duplicate keys": b'{"event_type":"step.stop","event_type":"error","index":0}',
    "an empty payload": b"",
    "null": b"null",
    "nul bytes": b"\0\0",
    "surrogates in the type": b'{"event_type":"\\ud83d"}',
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_json_is_judged(odd: bytes) -> None:
    """JSON at the limits of parsers does not raise, and the events after it are still judged."""
    reading = judge(frames([created(), encode("x", odd), start(0), completed()]))
    assert "stream.stop-once" in broken(reading)


def long_stream(events: int) -> bytes:
    """A stream with this many deltas."""
    return frames([created(), start(0), *[delta(0)] * events, stop(0), completed()])


def peak_of(stream: bytes, feed: int = 16_384) -> int:
    """The peak memory, in bytes, of judging a stream in pieces of `feed` bytes."""
    judging = StreamJudge(load())
    judging.feed(frames([created()], done=False))  # validators are compiled once per process, not per stream
    judging = StreamJudge(load())
    tracemalloc.start()
    for at in range(0, len(stream), feed):
        judging.feed(stream[at : at + feed])
    reading = judging.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reading.findings == ()
    return peak


@pytest.mark.slow
def test_memory_does_not_grow_with_the_stream() -> None:
    few, many = peak_of(long_stream(2_000)), peak_of(long_stream(20_000))
    assert many < few * 1.5 + 10_000


@pytest.mark.slow
def test_memory_does_not_grow_with_one_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feeding a whole body at once does not hold all its frames in memory."""
    monkeypatch.setattr("harness.wire.sse.STEP", 16_384)
    whole = long_stream(20_000)
    assert peak_of(whole, len(whole)) < peak_of(whole) + len(whole)
