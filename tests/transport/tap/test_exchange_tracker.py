"""Which bytes are forwarded, and what they become: none that complete a response before it is recorded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.transport.tap.exchange_tracker import Wiretap
from tests.transport.peers import get

HEADS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nx: 1\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
)
CONTENTS = st.lists(st.sampled_from([b"data: {}\n\n", b"0", b"\n0\r\n\r\n", b"x" * 16, b"\n"]), max_size=4)
LAST = st.sampled_from([b"0", b"000", b"0;last", b"0 \t", b"00 ;a=b"])
TRAILERS = st.sampled_from([b"", b"x-sum: 1\r\n", b"0: 0\r\n"])


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A complete, mostly valid response, then perhaps surplus bytes."""
    head, contents = draw(st.sampled_from(HEADS)), draw(CONTENTS)
    if b"%d" in head:
        return head % len(b"".join(contents)) + b"".join(contents)
    if b"chunked" not in head:
        return head + b"".join(contents)
    body = b"".join(b"%X\r\n%b\r\n" % (len(content), content) for content in contents)
    last = draw(LAST) + b"\r\n" + draw(TRAILERS) + b"\r\n"
    return head + body + last + draw(st.sampled_from([b"", b"junk"]))


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data`, split at `cuts` as it might arrive."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(places) if begin != end]


@given(CONTENTS, LAST, TRAILERS, st.lists(st.integers(0, 4096), max_size=6))
@example([b"a"], b"0", b"", [len(HEADS[0]) + 7])
@example([b"a"], b"0", b"", [len(HEADS[0]) + 10])
@example([b"a"], b"0", b"x: 1\r\n", [len(HEADS[0]) + 13])
def test_the_last_chunk_is_held_back_whole(
    contents: list[bytes], last: bytes, trailers: bytes, cuts: list[int]
) -> None:
    """However a response is split, all but its last chunk is forwarded, and none of that before its record."""
    before = HEADS[0] + b"".join(b"%X\r\n%b\r\n" % (len(item), item) for item in contents if item)
    wire, forwarded, waits = Wiretap("target"), 0, 0
    wire.upward(get(), 0.0)
    for piece in pieces_of(before + last + b"\r\n" + trailers + b"\r\n", cuts):
        passed = wire.downward(piece, 1.0)
        waits += len(piece)
        kept_back = passed.ending if passed.finished else passed.open
        forwarded, waits = forwarded + waits - kept_back, kept_back
        assert forwarded <= len(before)
    assert [exchange.complete for exchange in passed.finished] == [True]
    assert forwarded == len(before)


@pytest.mark.slow
@given(st.lists(answers(), min_size=1, max_size=3), st.lists(st.integers(0, 4096), max_size=8), st.booleans())
def test_all_bytes_pass_once_and_in_order(parts: list[bytes], cuts: list[int], names: bool) -> None:
    """However pipelined responses are split, the client gets their bytes; only the target's address is another."""
    field = b"\r\nlocation: http://%b/x\r\n\r\n"
    data = b"".join(parts)
    came = data.replace(b"\r\n\r\n", field % b"target", 1) if names else data
    expected = data.replace(b"\r\n\r\n", field % b"recorder", 1) if names else data
    wire, sent = Wiretap("target"), b""
    wire.upward(get().replace(b"host: h", b"host: recorder") * len(parts), 0.0)
    for piece in pieces_of(came, cuts):
        sent += wire.downward(piece, 1.0).data
    assert sent + wire.rest() in (expected, came)


def test_a_head_in_parts_is_put_right() -> None:
    """Byte by byte: each head passes when it is whole, with the address changed; the record has what came."""
    wire, sent = Wiretap("target"), []
    wire.upward(b"PUT /x HTTP/1.1\r\nHost: recorder:8\r\ncontent-length: 0\r\n\r\n", 0.0)
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nx-upload-url: http://%b/x\r\ncontent-length: 1\r\n\r\n"
    finished = []
    for byte in interim + head % b"target" + b"!":
        passed = wire.downward(bytes([byte]), 1.0)
        sent += [passed.data] if passed.data else []
        finished += passed.finished
    assert sent == [interim, head % b"recorder:8", b"!"]
    assert [exchange.headers.get("x-upload-url") for exchange in finished] == ["http://target/x"]
