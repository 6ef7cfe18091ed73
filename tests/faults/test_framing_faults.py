"""Changing line endings or chunk sizes changes the bytes but not the events."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.wire import COMPLETE, At, Chunk, Chunked, Ending, How, Length, Pause
from tests.faults.streams import BODY, CRLF_STREAM, STREAM, chunks, payloads, pieces_through, slices, through


@pytest.mark.parametrize("size", [1, 2, 64, 100_000])
@pytest.mark.parametrize("stream", [STREAM, CRLF_STREAM], ids=["lf", "crlf"])
def test_crlf_does_not_depend_on_pieces(stream: tuple[bytes, ...], size: int) -> None:
    """`crlf` ends each line in exactly one CR LF, even if a chunk boundary splits a CR LF."""
    assert through("crlf", slices(b"".join(stream), size)) == b"".join(CRLF_STREAM)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_chunks_have_their_size(size: int) -> None:
    """`chunks` limits the chunk size, never joins chunks, loses no byte and keeps pauses."""
    pieces = pieces_through(f"chunks:{size}", [Chunk(BODY), Pause(1), COMPLETE])
    assert [one for one in pieces if one != Pause(0.02)] == [*map(Chunk, slices(BODY, size)), Pause(1), COMPLETE]


def test_chunks_wait_inside_the_first_characters() -> None:
    """A client on a socket reads the halves of the first three characters that are split by themselves."""
    pieces = pieces_through("chunks:1", [Chunk("aéàü\né\n".encode()), COMPLETE])
    before = [after.data for pause, after in pairwise(pieces) if pause == Pause(0.02) and isinstance(after, Chunk)]
    assert before == ["é".encode()[1:], "à".encode()[1:], "ü".encode()[1:]]


def test_a_torn_chunk_stays_torn() -> None:
    """When a torn chunk is reshaped, its last part lacks as many bytes as the original did."""
    ending = Ending(how=How.RST, at=At.IN_CHUNK, declared=9, sent=5)
    assert pieces_through("chunks:2", [Chunk(b"abcde", 9), ending]) == [
        Chunk(b"ab"), Chunk(b"cd"), Chunk(b"e", 5), ending,
    ]  # fmt: skip
    assert pieces_through("crlf", [Chunk(b"a\nb\n", 9), ending])[0] == Chunk(b"a\r\nb\r\n", 11)


def test_crlf_then_a_cut_counts_the_new_bytes() -> None:
    """A cut after `crlf` counts the bytes that the client receives, added CRs included."""
    whole = b"".join(CRLF_STREAM)
    assert through("crlf,byte:100,end") == whole[:100]
    assert through("crlf,event:3,end") == b"".join(CRLF_STREAM[:3])
    assert payloads(through("chunks:1,crlf")) == payloads(BODY)


@pytest.mark.parametrize("plan", ["event:3,short-length", "event:99,short-length"])
def test_a_short_length_is_always_short(plan: str) -> None:
    """`short-length` ends in a FIN before the declared length, even if its place never comes."""
    ending = pieces_through(plan, chunks(STREAM), Chunked())[-1]
    assert isinstance(ending, Ending)
    assert ending.how is How.FIN


def test_a_known_length_is_what_is_promised() -> None:
    """A body with a Content-Length keeps it, and `short-length` delivers less."""
    pieces = pieces_through("byte:9,short-length", [Chunk(BODY), COMPLETE], Length(len(BODY)))
    assert pieces[0] == Chunk(BODY[:9])
