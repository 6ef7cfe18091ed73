"""A recording holds exactly what a driver saw, and playing it shows a driver the same again."""

from __future__ import annotations

import gzip
import zlib
from array import array

import pytest
from msgspec.structs import replace

from harness.cassette import CassetteError, Recording
from harness.cassette.framing import pieces_of
from harness.transport import ServiceDriver
from harness.wire import (
    COMPLETE,
    Arrivals,
    By,
    Chunk,
    Ending,
    Exchange,
    Headers,
    How,
    Length,
    PieceBody,
    Request,
    Response,
    UntilClose,
)  # fmt: skip
from tests.cassette.samples import URL, get

ASK = get(f"{URL}/v1_a?stream=true")


def compressed(data: bytes, coding: str, cut: int | None = None) -> Recording:
    """A recording of a compressed body that arrived byte by byte."""
    sent = data[:cut]
    ending = COMPLETE if cut is None else Ending(how=How.FIN, declared=len(data), sent=len(sent))
    headers = Headers([("content-encoding", coding), ("content-length", str(len(data)))])
    pieces = pieces_of((1, 3) for _ in sent)
    return Recording(ASK, 200, headers, sent, pieces, ending, Length(len(data)))


TEXT = b"event: x\ndata: yes\n\n" * 50
RAW = zlib.compress(TEXT)[2:-4]


@pytest.mark.parametrize(
    ("data", "coding"),
    [
        (gzip.compress(TEXT), "gzip"), (gzip.compress(TEXT), "x-gzip"), (zlib.compress(TEXT), "deflate"),
        (RAW, "deflate"), (gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]), "GZIP"),
    ],
    ids=["gzip", "x-gzip", "deflate", "raw deflate", "two members"],
)  # fmt: skip
def test_decoded(data: bytes, coding: str) -> None:
    """Decompression keeps the pieces and yields the text that a client would have seen."""
    plain = compressed(data, coding).decode()
    assert plain.body == TEXT
    assert len(plain.pieces) == len(data)
    assert (plain.coding, plain.framing, plain.headers.items()) == (
        coding.lower(), Length(len(TEXT)), (("content-length", str(len(TEXT))),)
    )  # fmt: skip


def test_decoded_after_a_cut() -> None:
    """A truncated compressed body yields what could be decoded and remains incomplete."""
    plain = compressed(gzip.compress(TEXT), "gzip", cut=-9).decode()
    assert TEXT.startswith(plain.body)
    assert isinstance(plain.framing, Length)
    assert plain.framing.size > len(plain.body)
    assert not plain.complete


@pytest.mark.slow
def test_bomb_and_broken() -> None:
    """A decompression bomb and invalid compressed data are refused with an explanation."""
    with pytest.raises(CassetteError, match="has more than"):
        compressed(gzip.compress(bytes(65 * 1024 * 1024)), "gzip").decode()
    with pytest.raises(CassetteError, match="gzip or deflate is broken"):
        compressed(b"not gzip at all", "gzip").decode()


def test_driver_decoded_already() -> None:
    """A body that its driver already decoded is kept as text, without its Content-Encoding header."""
    body = gzip.compress(TEXT)
    headers = Headers([("content-encoding", "gzip"), ("content-type", "text/event-stream")])
    response = Response(200, headers, Length(len(body)), PieceBody((Chunk(body[:9]), Chunk(body[9:]), COMPLETE)))
    recording = Recording.of(ServiceDriver(lambda _: response).send(ASK))
    assert (recording.body, recording.coding) == (TEXT, "gzip")
    assert "content-encoding" not in recording.headers
    assert recording.framing == Length(len(TEXT))


def exchange(**changes: object) -> Exchange:
    """A small exchange."""
    made = Exchange(
        request=Request("GET", "/x"), status=200, headers=Headers(), framing=UntilClose(), body=b"abcdef", size=6,
        sha256="", truncated=False, arrivals=Arrivals(array("Q", [2]), array("d", [0.5]), 3), ending=COMPLETE,
        seconds=1.0,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_truncated_exchange_is_refused() -> None:
    """An exchange whose body was not kept in full cannot be made into a recording."""
    with pytest.raises(CassetteError, match="9 bytes, of which the record keeps 6"):
        Recording.of(exchange(truncated=True, size=9))


def test_more_pieces_than_were_kept() -> None:
    """Bytes without a noted arrival become one piece, and the recording is marked as approximate."""
    recording = Recording.of(exchange())
    assert (list(recording.pieces.sizes), recording.approximate) == ([2, 4], True)


def test_client_ending_is_kept() -> None:
    """That the client disconnected is kept in the recording, and its replay gives it as the reason to wait."""
    recording = Recording.of(exchange(ending=Ending(By.CLIENT, How.FIN)))
    *_, played = recording.response().body
    assert (recording.ending, "client or recorder stopped" in played.detail) == (Ending(By.CLIENT, How.FIN), True)
