"""Line ends and piece sizes: other bytes, the same events."""

from __future__ import annotations

import pytest

from harness.wire import COMPLETE, At, Chunk, Chunked, Ending, How, Length, Pause
from tests.faults.streams import BODY, CRLF_STREAM, STREAM, chunks, payloads, pieces_through, slices, through


@pytest.mark.parametrize("size", [1, 2, 64, 100_000])
@pytest.mark.parametrize("stream", [STREAM, CRLF_STREAM], ids=["lf", "crlf"])
def test_crlf_does_not_depend_on_pieces(stream: tuple[bytes, ...], size: int) -> None:
    """Each line ends in one CR LF, also where a piece ended between the two."""
    assert through("crlf", slices(b"".join(stream), size)) == b"".join(CRLF_STREAM)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_chunks_have_their_size(size: int) -> None:
    """No piece is larger, none crosses an original piece, no byte is lost, pauses stay."""
    pieces = pieces_through(f"chunks:{size}", [Chunk(BODY), Pause(1), COMPLETE])
    assert pieces == [*map(Chunk, slices(BODY, size)), Pause(1), COMPLETE]


def test_a_torn_chunk_stays_torn() -> None:
    """Its last part misses as many bytes as the whole did."""
    ending = Ending(how=How.RST, at=At.IN_CHUNK, declared=9, sent=5)
    assert pieces_through("chunks:2", [Chunk(b"abcde", 9), ending]) == [
        Chunk(b"ab"), Chunk(b"cd"), Chunk(b"e", 5), ending,
    ]  # fmt: skip
    assert pieces_through("crlf", [Chunk(b"a\nb\n", 9), ending])[0] == Chunk(b"a\r\nb\r\n", 11)


def test_crlf_then_a_cut_counts_the_new_bytes() -> None:
    """`byte:N` counts what the client gets."""
    whole = b"".join(CRLF_STREAM)
    assert through("crlf,byte:100,end") == whole[:100]
    assert through("crlf,event:3,end") == b"".join(CRLF_STREAM[:3])
    assert payloads(through("chunks:1,crlf")) == payloads(BODY)


@pytest.mark.parametrize("plan", ["event:3,short-length", "event:99,short-length"])
def test_a_short_length_is_always_short(plan: str) -> None:
    """The body ends in a FIN before the promise is kept, also when the place never came."""
    ending = pieces_through(plan, chunks(STREAM), Chunked())[-1]
    assert isinstance(ending, Ending)
    assert ending.how is How.FIN


def test_a_known_length_is_what_is_promised() -> None:
    """A body that has a Content-Length keeps it, and it is short."""
    pieces = pieces_through("byte:9,short-length", [Chunk(BODY), COMPLETE], Length(len(BODY)))
    assert pieces[0] == Chunk(BODY[:9])
