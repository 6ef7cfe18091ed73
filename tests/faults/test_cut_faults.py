"""A cut at byte N delivers exactly N bytes for any chunking, and ends the connection as planned."""

from __future__ import annotations

import pytest

from harness.faults import every_byte, structural
from harness.wire import COMPLETE, At, By, Chunk, Chunked, Ending, How, Length, Pause, UntilClose
from tests.faults.streams import (
    BODY,
    CRLF_STREAM,
    STREAM,
    after,
    bytes_of,
    chunks,
    payloads,
    pieces_through,
    slices,
    through,
)
from tests.in_one_test import in_one_test

SIZES = [1, 2, 3, 7, 64, 100_000]


def test_every_byte_is_exact() -> None:
    """`byte:N` delivers exactly N bytes for every N when each event is one chunk."""
    for place in every_byte(BODY):
        assert through(f"{place},end") == BODY[: place.at]


@pytest.mark.parametrize("size", SIZES)
def test_pieces_do_not_matter(size: int) -> None:
    """A cut at a structural place delivers the same bytes however the body is split."""
    for body in (BODY, b"".join(CRLF_STREAM)):
        parts = slices(body, size)
        for place in structural(body):
            assert through(f"{place},end", parts) == through(f"{place},end", [body])


EVENT3 = STREAM[3]
CRLF3 = CRLF_STREAM[3]
PLACES = {
    "event:0": b"",
    "event:3": BODY[: after(3)],
    "event:3+1": BODY[: after(3) + 1],
    "event:3+60": BODY[: after(3) + 60],
    "event:3+9999": BODY[: after(4) - 1],
    "event:6": BODY,
    "event:7": BODY,
    "blank:0": BODY[: after(1) - 1],
    "blank:3": BODY[: after(4) - 1],
    "data:0": BODY[: STREAM[0].index(b"data") + 2],
    "data:3": BODY[: after(3) + EVENT3.index(b"data") + 2],
    "utf8:0": BODY[: BODY.index(b"\xc3") + 1],
    "utf8:3": BODY[: after(3) + EVENT3.index(b"\xc3") + 1],
    "utf8:5": BODY,
    "completion": BODY[: after(4)],
    "byte:0": b"",
    "byte:9999": BODY,
}


@in_one_test(place=PLACES, size=SIZES)
def test_places(place: str, size: int) -> None:
    """A cut at each kind of place delivers exactly these bytes; if the place never comes, it delivers all."""
    assert through(f"{place},end", slices(BODY, size)) == PLACES[place]


CRLF_PLACES = {
    "event:3": after(3, CRLF_STREAM),
    "event:3+1": after(3, CRLF_STREAM) + 1,
    "event:3+9999": after(4, CRLF_STREAM) - 2,
    "blank:3": after(4, CRLF_STREAM) - 2,
    "data:3": after(3, CRLF_STREAM) + CRLF3.index(b"data") + 2,
    "event:6": after(6, CRLF_STREAM),
}


@in_one_test(place=CRLF_PLACES, size=SIZES)
def test_places_between_crlf(place: str, size: int) -> None:
    """A CR LF is never counted as two line endings, nor split where an event ends."""
    body = b"".join(CRLF_STREAM)
    assert through(f"{place},end", slices(body, size)) == body[: CRLF_PLACES[place]]


@pytest.mark.parametrize("place", ["event:3+9999", "blank:3", "data:3", "utf8:3", "event:3"])
def test_the_event_that_is_cut_never_counts(place: str) -> None:
    """After a cut in or right before the fourth event, a reader sees exactly three complete events."""
    for stream in (STREAM, CRLF_STREAM):
        assert len(payloads(through(f"{place},end", stream))) == 3


def test_the_sentinel_counts_as_an_event() -> None:
    """`[DONE]` counts as an event: `event:5` delivers everything before it."""
    assert through("event:5,end") == BODY[: -len(STREAM[5])]


def fault(how: How, at: At = At.IN_BODY, declared: int | None = None, sent: int | None = None) -> Ending:
    """An ending by the server."""
    return Ending(By.SERVER, how, at, declared, sent)


HALF = len(EVENT3)
ENDINGS = {
    "event:3,fin": (Chunked(), [fault(How.FIN)]),
    "event:3,rst": (Chunked(), [fault(How.RST)]),
    "event:3,stall": (Chunked(), [fault(How.STALL)]),
    "event:3,end": (Chunked(), [COMPLETE]),
    "event:3,bad-chunk": (Chunked(), [fault(How.BAD_HTTP)]),
    "event:3,short-length": (Chunked(), [fault(How.FIN)]),
    "event:3+5,fin": (Chunked(), [Chunk(EVENT3[:5], HALF), fault(How.FIN, At.IN_CHUNK, HALF, 5)]),
    "event:3+5,rst": (Chunked(), [Chunk(EVENT3[:5], HALF), fault(How.RST, At.IN_CHUNK, HALF, 5)]),
    "event:3+5,stall": (Chunked(), [Chunk(EVENT3[:5], HALF), fault(How.STALL, At.IN_CHUNK, HALF, 5)]),
    "event:3+5,end": (Chunked(), [Chunk(EVENT3[:5]), COMPLETE]),
    "event:3+5,bad-chunk": (Chunked(), [Chunk(EVENT3[:5]), fault(How.BAD_HTTP)]),
    "event:3+5,short-length": (Chunked(), [Chunk(EVENT3[:5]), fault(How.FIN)]),
    "event:3+6,rst": (UntilClose(), [Chunk(EVENT3[:6]), fault(How.RST)]),
    "event:3+7,rst": (Length(len(BODY)), [Chunk(EVENT3[:7]), fault(How.RST)]),
    "completion,rst": (Chunked(), [Chunk(STREAM[3]), fault(How.RST)]),
}


@pytest.mark.parametrize("plan", ENDINGS)
def test_endings(plan: str) -> None:
    """A cut inside a chunk leaves it torn, with declared and sent sizes; elsewhere there is only the ending."""
    framing, wanted = ENDINGS[plan]
    found = pieces_through(plan, chunks(STREAM), framing)
    assert bytes_of(found[:3]) == BODY[: after(3)]
    last = found[-1]
    assert isinstance(last, Ending)
    assert last.detail == ("" if last == COMPLETE else f"fault plan: {plan}")
    bare = Ending(last.by, last.how, last.at, last.declared, last.sent)
    assert [*found[3:-1], bare] == wanted


def test_a_cut_comes_at_once() -> None:
    """A cut happens right after its last byte, without waiting for the next piece."""
    assert len(pieces_through("event:2,rst", [*map(Chunk, STREAM[:2])])) == 3
    assert len(pieces_through("byte:10,rst", [Chunk(b"0123456789")])) == 2
    assert [type(piece) for piece in pieces_through("event:0,rst", [Pause(5)])] == [Ending]


def test_pieces_before_a_cut_are_untouched() -> None:
    """Before a cut, pauses, empty chunks and chunk boundaries are unchanged."""
    pieces = [Chunk(STREAM[0] + STREAM[1][:3]), Pause(1), Chunk(b""), Chunk(STREAM[1][3:])]
    assert pieces_through("event:2,rst", [*pieces, Chunk(STREAM[2])])[:-1] == pieces


def test_the_end_of_a_body_settles_a_last_cr() -> None:
    """An event that ends in CR is complete when the body ends, so the cut after it happens."""
    body = BODY.replace(b"\n", b"\r")
    assert pieces_through("event:6,rst", [Chunk(body), COMPLETE])[-1].how is How.RST  # type: ignore[union-attr]
