"""The response reader gives the same values however the bytes arrive, and the exact place where they stop."""

from __future__ import annotations

import pytest

from harness.transport.http1.reader import Data, ResponseHead, ResponseReader
from harness.wire import COMPLETE, At, By, Chunked, Ending, How, Length, UntilClose
from tests.in_one_test import in_one_test
from tests.transport.endings_table import CASES, HEADS

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = {
    "chunked": (
        OK + b"transfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n2;e=1\r\nde\r\n0\r\nt: 1\r\n\r\n",
        Chunked(), b"abcde"),
    "length": (OK + b"content-length: 5\r\n\r\nabcde", Length(5), b"abcde"),
    "no body": (OK + b"content-length: 0\r\n\r\n", Length(0), b""),
    "until close": (OK + b"a: b\r\n\r\nabcde", UntilClose(), b"abcde"),
    "no content": (b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", Length(0), b""),
    "interim first": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 2\r\n\r\nab", Length(2), b"ab"),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", Length(3), b"abc"),
    "chunked wins over length": (
        OK + b"content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Chunked(), b""),
    "the same length twice": (OK + b"content-length: 2, 2\r\n\r\nab", Length(2), b"ab"),
}  # fmt: skip


def read(wire: bytes, step: int, method: str = "GET") -> tuple[ResponseHead | None, list[Data], Ending | None]:
    """Feed `wire` in pieces of `step` bytes; return head, data, and the ending after a FIN."""
    reader = ResponseReader(method)
    events = [event for at in range(0, len(wire), step) for event in reader.feed(wire[at : at + step])]
    data = [event for event in events if isinstance(event, Data)]
    return reader.head, data, reader.fin()


@in_one_test(name=WHOLE, step=[1, 2, 7, 10_000])
def test_a_whole_response(name: str, step: int) -> None:
    """Framing, bytes and completeness do not depend on how the bytes are split."""
    wire, framing, body = WHOLE[name]
    head, data, ending = read(wire, step)
    assert head is not None
    assert (head.framing, b"".join(part.data for part in data), ending) == (framing, body, COMPLETE)


@pytest.mark.parametrize("step", [1, 10_000])
def test_chunk_boundaries_are_kept(step: int) -> None:
    """Joining the parts up to each `ends_chunk` gives the chunks of the wire."""
    _, data, _ = read(WHOLE["chunked"][0], step)
    chunks, open_chunk = [], b""
    for part in data:
        open_chunk += part.data
        if part.ends_chunk:
            assert part.declared == len(open_chunk)
            chunks.append(open_chunk)
            open_chunk = b""
    assert (chunks, open_chunk) == ([b"abc", b"de"], b"")


@in_one_test(name=[name for name, case in CASES.items() if case.closing != "keep"], step=[1, 10_000])
def test_an_ending_is_read_back(name: str, step: int) -> None:
    """Reading the table's bytes and closing gives the table's ending."""
    case = CASES[name]
    reader = ResponseReader("GET")
    wire = HEADS[type(case.framing)] + case.wire
    for at in range(0, len(wire), step):
        reader.feed(wire[at : at + step])
    stop = {"rst": (How.RST, By.SERVER), "stall": (How.TIMEOUT, By.LIMIT)}
    ending = reader.stop(*stop[case.closing]) if case.closing in stop else reader.fin()
    assert Ending(ending.by, ending.how, ending.at, ending.declared, ending.sent) == case.ending


def test_every_cut_of_a_response_has_its_place() -> None:
    """With each byte the place moves on: before the head, in the head, between chunks, inside a chunk."""
    wire = OK + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    body = wire.index(b"3\r\n")
    endings = [read(wire[:cut], 1)[2] for cut in range(len(wire) + 1)]
    places = [e and e.at for e in endings[: body + 1]]
    assert places == [At.BEFORE_HEADERS, *[At.IN_HEADERS] * (body - 1), At.IN_BODY]
    inside = [(e.at, e.declared, e.sent) for e in endings[body + 1 :] if e]
    assert inside == [
        (At.IN_CHUNK, None, 0), (At.IN_CHUNK, None, 0), (At.IN_CHUNK, 3, 0),
        (At.IN_CHUNK, 3, 1), (At.IN_CHUNK, 3, 2), (At.IN_CHUNK, 3, 3), (At.IN_CHUNK, 3, 3),
        (At.IN_BODY, None, None),
        (At.IN_CHUNK, None, 0), (At.IN_CHUNK, None, 0), (At.IN_CHUNK, 0, 0), (At.IN_CHUNK, 0, 0),
        (At.IN_BODY, None, None),
    ]  # fmt: skip
    assert [e.complete for e in endings if e].index(True) == len(wire)


def test_what_follows_a_response_is_counted() -> None:
    """Bytes after the end are counted as excess and are not part of the response."""
    reader = ResponseReader("GET")
    reader.feed(OK + b"content-length: 2\r\n\r\nabXYZ")
    assert (reader.ended, reader.excess) == (COMPLETE, 3)


def test_a_head_request_has_no_body() -> None:
    """The response to HEAD is complete after its head, whatever Content-Length it states."""
    head, data, ending = read(OK + b"content-length: 5\r\n\r\n", 1, "HEAD")
    assert (head and head.headers.get("content-length"), data, ending) == ("5", [], COMPLETE)
