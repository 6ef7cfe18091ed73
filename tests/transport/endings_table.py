"""Every way a body can end: as a service states it, as bytes on the wire, and as a client sees it.

All carriers are tested against this one table: the socket server, the in-process driver, the httpx transports and
tees, the tap and the proxy; the response reader as well.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.wire import COMPLETE, At, By, Chunk, Chunked, Ending, Framing, How, Length, Piece, UntilClose


class Case(NamedTuple):
    """One ending. `wire` is the body on the wire, or everything on the wire if there is no whole head.

    `closing` says what the connection then does: `keep`, `fin`, `rst` or `stall`. `ending` is what a client
    records, `error` the exception that httpx raises.
    """

    framing: Framing
    pieces: tuple[Piece, ...]
    wire: bytes
    closing: str
    ending: Ending
    body: bytes
    error: str | None


AB, CDE = Chunk(b"ab"), Chunk(b"cde")
HEADS = {
    Chunked: b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    Length: b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\n\r\n",
    UntilClose: b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
}
PROTOCOL, READ, TIMED_OUT = "RemoteProtocolError", "ReadError", "ReadTimeout"
C2, C5 = b"2\r\nab\r\n", b"2\r\nab\r\n3\r\ncde\r\n"


def server(how: How, at: At = At.IN_BODY, declared: int | None = None, sent: int | None = None) -> Ending:
    """An ending by the server."""
    return Ending(By.SERVER, how, at, declared, sent)


def limit(at: At = At.IN_BODY, declared: int | None = None, sent: int | None = None) -> Ending:
    """The ending that a client records after a timeout."""
    return Ending(By.LIMIT, How.TIMEOUT, at, declared, sent)


def _chunked(
    name: str, pieces: tuple[Piece, ...], wire: bytes, closing: str, ending: Ending, body: bytes, error: str | None
) -> tuple[str, Case]:
    return f"chunked {name}", Case(Chunked(), pieces, wire, closing, ending, body, error)


FIN, RST, STALL, BAD = server(How.FIN), server(How.RST), server(How.STALL), server(How.BAD_HTTP)
IN_CHUNK = At.IN_CHUNK
OPEN5 = Chunk(b"ab", 5)

CASES: dict[str, Case] = dict(
    [
        _chunked("complete", (AB, CDE, COMPLETE), C5 + b"0\r\n\r\n", "keep", COMPLETE, b"abcde", None),
        _chunked("empty", (COMPLETE,), b"0\r\n\r\n", "keep", COMPLETE, b"", None),
        _chunked(
            "empty chunk", (AB, Chunk(b""), CDE, COMPLETE), C5 + b"0\r\n\r\n", "keep", COMPLETE, b"abcde", None
        ),
        _chunked("fin", (AB, CDE, FIN), C5, "fin", FIN, b"abcde", PROTOCOL),
        _chunked("rst", (AB, CDE, RST), C5, "rst", RST, b"abcde", READ),
        _chunked("stall", (AB, CDE, STALL), C5, "stall", limit(), b"abcde", TIMED_OUT),
        _chunked("bad", (AB, BAD), C2 + b"%%% not HTTP %%%\r\n", "fin", BAD, b"ab", PROTOCOL),
        _chunked("refused late", (AB, server(How.REFUSED)), C2, "rst", RST, b"ab", READ),
        _chunked(
            "fin in chunk",
            (OPEN5, server(How.FIN, IN_CHUNK, 5, 2)),
            b"5\r\nab",
            "fin",
            server(How.FIN, IN_CHUNK, 5, 2),
            b"ab",
            PROTOCOL,
        ),
        _chunked(
            "rst in chunk",
            (AB, OPEN5, server(How.RST, IN_CHUNK, 5, 2)),
            C2 + b"5\r\nab",
            "rst",
            server(How.RST, IN_CHUNK, 5, 2),
            b"abab",
            READ,
        ),
        _chunked(
            "stall in chunk",
            (OPEN5, server(How.STALL, IN_CHUNK)),
            b"5\r\nab",
            "stall",
            limit(IN_CHUNK, 5, 2),
            b"ab",
            TIMED_OUT,
        ),
        _chunked(
            "bad in chunk",
            (Chunk(b"ab", 2), server(How.BAD_HTTP, IN_CHUNK)),
            b"2\r\nab%%% not HTTP %%%\r\n",
            "fin",
            server(How.BAD_HTTP, IN_CHUNK, 2, 2),
            b"ab",
            PROTOCOL,
        ),
        _chunked(
            "fin after chunk data",
            (Chunk(b"ab", 2), server(How.FIN, IN_CHUNK)),
            b"2\r\nab",
            "fin",
            server(How.FIN, IN_CHUNK, 2, 2),
            b"ab",
            PROTOCOL,
        ),
        _chunked(
            "fin after size line",
            (AB, server(How.FIN, IN_CHUNK, 7, 0)),
            C2 + b"7\r\n",
            "fin",
            server(How.FIN, IN_CHUNK, 7, 0),
            b"ab",
            PROTOCOL,
        ),
        _chunked(
            "fin in size line",
            (AB, server(How.FIN, IN_CHUNK)),
            C2 + b"1",
            "fin",
            server(How.FIN, IN_CHUNK, None, 0),
            b"ab",
            PROTOCOL,
        ),
        _chunked(
            "complete, but in chunk",
            (OPEN5, COMPLETE),
            b"5\r\nab",
            "fin",
            server(How.FIN, IN_CHUNK, 5, 2),
            b"ab",
            PROTOCOL,
        ),
        _chunked(
            "headers' ending too late", (AB, server(How.FIN, At.BEFORE_HEADERS)), C2, "fin", FIN, b"ab", PROTOCOL
        ),
        _chunked("client left", (AB, Ending(By.CLIENT, How.FIN)), C2, "stall", limit(), b"ab", TIMED_OUT),
        _chunked("recorder gave up", (AB, Ending(By.LIMIT, How.TIMEOUT)), C2, "stall", limit(), b"ab", TIMED_OUT),
        (
            "length complete",
            Case(Length(9), (Chunk(b"abcdefghi"), COMPLETE), b"abcdefghi", "keep", COMPLETE, b"abcdefghi", None),
        ),
        (
            "length short",
            Case(
                Length(9), (AB, server(How.FIN)), b"ab", "fin", server(How.FIN, At.IN_BODY, 9, 2), b"ab", PROTOCOL
            ),
        ),
        (
            "length short, complete",
            Case(Length(9), (AB, COMPLETE), b"ab", "fin", server(How.FIN, At.IN_BODY, 9, 2), b"ab", PROTOCOL),
        ),
        ("length rst", Case(Length(9), (AB, RST), b"ab", "rst", server(How.RST, At.IN_BODY, 9, 2), b"ab", READ)),
        ("length stall", Case(Length(9), (AB, STALL), b"ab", "stall", limit(At.IN_BODY, 9, 2), b"ab", TIMED_OUT)),
        (
            "length bad",
            Case(Length(9), (AB, BAD), b"ab", "fin", server(How.FIN, At.IN_BODY, 9, 2), b"ab", PROTOCOL),
        ),
        ("close fin", Case(UntilClose(), (AB, FIN), b"ab", "fin", COMPLETE, b"ab", None)),
        ("close complete", Case(UntilClose(), (AB, COMPLETE), b"ab", "fin", COMPLETE, b"ab", None)),
        ("close rst", Case(UntilClose(), (AB, RST), b"ab", "rst", RST, b"ab", READ)),
        ("close stall", Case(UntilClose(), (AB, STALL), b"ab", "stall", limit(), b"ab", TIMED_OUT)),
    ]
)
"""Endings of bodies; the head before `wire` is HEADS[type(framing)]."""


def _dead(how: How, at: At, sent: int | None, wire: bytes, closing: str, ending: Ending, error: str) -> Case:
    return Case(Chunked(), (server(how, at, None, sent),), wire, closing, ending, b"", error)


BEFORE, IN = At.BEFORE_HEADERS, At.IN_HEADERS
HEAD = HEADS[Chunked]
DEAD: dict[str, Case] = {
    "fin before headers": _dead(How.FIN, BEFORE, None, b"", "fin", server(How.FIN, BEFORE), PROTOCOL),
    "rst before headers": _dead(How.RST, BEFORE, None, b"", "rst", server(How.RST, BEFORE), READ),
    "stall before headers": _dead(How.STALL, BEFORE, None, b"", "stall", limit(BEFORE), TIMED_OUT),
    "bad before headers": _dead(
        How.BAD_HTTP, BEFORE, None, b"%%% not HTTP %%%\r\n", "fin", server(How.BAD_HTTP, BEFORE), PROTOCOL
    ),
    "fin in headers": _dead(How.FIN, IN, 20, HEAD[:20], "fin", server(How.FIN, IN, None, 20), PROTOCOL),
    "rst in headers": _dead(How.RST, IN, 20, HEAD[:20], "rst", server(How.RST, IN, None, 20), READ),
    "stall in headers": _dead(How.STALL, IN, 20, HEAD[:20], "stall", limit(IN, None, 20), TIMED_OUT),
    "fin in headers, anywhere": _dead(
        How.FIN, IN, None, HEAD[: len(HEAD) // 2], "fin", server(How.FIN, IN, None, len(HEAD) // 2), PROTOCOL
    ),
    "fin in headers, past them": _dead(
        How.FIN, IN, 9999, HEAD[:-1], "fin", server(How.FIN, IN, None, len(HEAD) - 1), PROTOCOL
    ),
}
"""Endings of connections that die before the head is complete."""

ALL = {**CASES, **DEAD}
