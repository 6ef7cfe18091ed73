"""The event stream codec agrees with a line-by-line decoder that follows the algorithm of the standard."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.sse import CutFrame, Decoder, Frame, encode
from tests.in_one_test import in_one_test


def line_by_line(stream: bytes) -> list[tuple[bytes, bytes | None, bytes | None]]:
    """(data, event, id) of each dispatched event, decoded literally as the standard says, without optimisation."""
    if stream.startswith(b"\xef\xbb\xbf"):
        stream = stream[3:]
    events, data, event, identity = [], [], None, None
    while (cut := min((i for i in (stream.find(b"\r"), stream.find(b"\n")) if i >= 0), default=None)) is not None:
        line, skip = stream[:cut], 2 if stream[cut : cut + 2] == b"\r\n" else 1
        stream = stream[cut + skip :]
        if not line:
            if data:
                events.append((b"\n".join(data), event, identity))
            data, event, identity = [], None, None
            continue
        name, colon, value = line.partition(b":")
        value = value.removeprefix(b" ") if colon else b""
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value
        elif name == b"id" and b"\0" not in value:
            identity = value
    return events


def decode(*feeds: bytes, max_event: int = 1 << 20) -> tuple[list[Frame], CutFrame | None]:
    """All frames of the feeds, and the unfinished frame that was left, if any."""
    decoder = Decoder(max_event=max_event)
    frames = [frame for feed in feeds for frame in decoder.feed(feed)]
    return frames, decoder.end()


def payloads(*feeds: bytes) -> list[bytes]:
    """The data of all frames."""
    return [frame.data for frame in decode(*feeds)[0]]


CANONICAL = encode("step.delta", b'{"index":0}')
UNNAMED = encode(None, b"x")

LAW = {
    "lf": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "cr": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "mixed": (b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\n", [b"a", b"b", b"c", b"d"]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "only one mark is stripped": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
    "comments": (b": hi\n\n:\ndata: a\n: mid\ndata: b\n\n", [b"a\nb"]),
    "several data lines": (b"data: a\ndata:\ndata: c\n\n", [b"a\n\nc"]),
    "no colon": (b"data\n\ndata\ndata\n\n", [b"", b"\n"]),
    "one space is stripped": (b"data:  a\n\ndata:b\n\n", [b" a", b"b"]),
    "no data, no event": (b"event: x\nid: 1\n\ndata: a\n\n", [b"a"]),
    "unknown field": (b"foo: 1\nDATA: no\ndata: a\n\n", [b"a"]),
    "space in a name is another name": (b" data: no\n\ndata: a\n\n", [b"a"]),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
    "unfinished": (b"data: a\n\ndata: b\n", [b"a"]),
    "nothing": (b"", []),
}


@in_one_test(LAW)
def test_decodes_by_the_standard(stream: bytes, expected: list[bytes]) -> None:
    """Line endings, byte order marks, comments, fields and blank lines follow the standard, also byte by byte."""
    assert payloads(stream) == expected
    assert payloads(*(stream[i : i + 1] for i in range(len(stream)))) == expected


FIELDS = st.sampled_from(
    [
        b"data",
        b"data: x",
        b"data: \xc3\xa9",
        b"event: e",
        b"event:",
        b"id: 7",
        b"id: \0",
        b": c",
        b"retry: 5",
        b"zzz: 1",
    ]
)
BLOCKS = st.lists(FIELDS, max_size=3).flatmap(
    lambda lines: st.sampled_from([b"\n", b"\r\n", b"\r"]).map(lambda end: end.join([*lines, b"", b""]))
)
STREAMS = st.one_of(
    st.lists(st.one_of(BLOCKS, st.just(CANONICAL)), max_size=8).map(b"".join),
    st.lists(st.sampled_from([UNNAMED, UNNAMED, b"data:x\n\n", b"data: \n", b"a", CANONICAL]), max_size=8).map(
        b"".join
    ),
    st.lists(
        st.sampled_from([b"\r", b"\n", b"data", b":", b" ", b"a", b"\xef\xbb\xbf", CANONICAL]), max_size=30
    ).map(b"".join),
)


@given(st.data(), STREAMS)
def test_fast_path_agrees_with_line_by_line(data: st.DataObject, stream: bytes) -> None:
    """For any bytes and any chunking, the frames equal those of the plain algorithm."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    edges = [0, *cuts, len(stream)]
    feeds = [stream[a:b] for a, b in pairwise(edges)]
    whole, left = decode(stream)
    assert [(frame.data, frame.event, frame.id) for frame in whole] == line_by_line(stream)
    assert decode(*feeds) == (whole, left)
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == (whole, left)


@given(STREAMS)
def test_spans_make_their_frames(stream: bytes) -> None:
    """The bytes of a frame's span decode to that frame alone, and spans are in order and do not overlap."""
    frames, _ = decode(stream)
    edge = 0
    for frame in frames:
        assert edge <= frame.start < frame.end <= len(stream)
        assert payloads(b"\n" + stream[frame.start : frame.end]) == [frame.data]
        edge = frame.end


@pytest.mark.parametrize("block", [CANONICAL, UNNAMED])
def test_spans_of_a_canonical_stream_cover_it(block: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the fast path each span runs from the first field of its event through its blank line."""
    monkeypatch.delattr(Decoder, "_block")
    assert [(f.start, f.end) for f in decode(block * 2)[0]] == [(0, len(block)), (len(block), 2 * len(block))]


def test_each_takes_one_slice_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterating over frames one by one decodes one slice at a time, not the whole input."""
    monkeypatch.setattr("harness.wire.sse.STEP", 2 * len(UNNAMED))
    decoder = Decoder()
    frames = decoder.each(UNNAMED * 10)
    assert next(frames).data == b"x"
    assert decoder.received == 2 * len(UNNAMED)
    assert len([*frames]) == 9


CUTS = {
    b"data: a\n": b"a",
    b"data: a": b"a",
    b"event: x\n": None,
    b"data: a\ndata: b": b"a\nb",
    b"data: a\r": b"a",
}


@pytest.mark.parametrize(("rest", "would_be"), CUTS.items())
def test_end_reports_the_unfinished_block(rest: bytes, would_be: bytes | None) -> None:
    """A stream that ends inside a block yields a cut frame and what a blank line would have dispatched."""
    _, cut = decode(CANONICAL + rest)
    assert cut is not None
    assert (cut.raw, cut.start, cut.end) == (rest, len(CANONICAL), len(CANONICAL) + len(rest))
    assert (cut.would_be.data if cut.would_be else None) == would_be


@pytest.mark.parametrize("stream", [b"", CANONICAL, CANONICAL + b"\n", b"data: a\r\n\r\n", b"\n", b"\r\n"])
def test_end_of_whole_blocks_leaves_nothing(stream: bytes) -> None:
    """Extra blank lines after the last block do not count as an unfinished block."""
    assert decode(stream)[1] is None


@pytest.mark.parametrize("feeds", [(4096,), (1,), (7,)])
def test_oversized_events_are_dropped_and_counted(feeds: tuple[int]) -> None:
    """An event above the size limit is dropped and counted; the events around it are decoded."""
    stream = CANONICAL + b"data: " + b"x" * 3000 + b"\n\n" + CANONICAL
    decoder = Decoder(max_event=100)
    frames = [f for i in range(0, len(stream), feeds[0]) for f in decoder.feed(stream[i : i + feeds[0]])]
    assert decoder.oversized == 1
    assert [(f.start, f.end) for f in frames] == [(0, len(CANONICAL)), (len(stream) - len(CANONICAL), len(stream))]


def test_an_endless_event_takes_no_memory() -> None:
    """An event that never ends is discarded as it arrives, so memory stays bounded."""
    decoder = Decoder(max_event=10_000)
    tracemalloc.start()
    for _ in range(2000):
        decoder.feed(b"y" * 5000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decoder.oversized == 1
    assert peak < 200_000


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_byte_by_byte_is_linear(end: bytes) -> None:
    """Feeding a long event byte by byte does not copy the pending data for each feed."""
    decoder = Decoder()
    decoder.feed(b"data: a" + end + end)
    decoder.feed(b"data: " + b"z" * 1_000_000)
    tracemalloc.start()
    for _ in range(1000):
        decoder.feed(b"z")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


@given(
    st.one_of(st.none(), st.sampled_from(["step.delta", "", "é"])),
    st.binary(max_size=30),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_encode_round_trips(event: str | None, payload: bytes, newline: bytes) -> None:
    """An encoded event decodes to the same event; line endings inside its payload become LF."""
    (frame,) = decode(encode(event, payload, id="7", newline=newline))[0]
    assert frame.data == payload.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert (frame.event, frame.id) == (event.encode() if event is not None else None, b"7")


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "\0"])
def test_encode_refuses_what_no_line_can_hold(name: str) -> None:
    """An event name with a line ending or NUL is refused, since it would break out of its line."""
    with pytest.raises(ValueError, match="line end or NUL"):
        encode(name, b"{}")
