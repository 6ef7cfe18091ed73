"""Small streams of the Interactions API, and helpers that run bytes through faults without a carrier."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from harness.contract import PROTOCOL
from harness.faults import parse
from harness.faults.service import framing_for, transducer
from harness.wire import (
    COMPLETE,
    Chunk,
    Chunked,
    Decoder,
    Ending,
    Framing,
    Headers,
    Piece,
    PieceBody,
    Request,
    Response,
    encode,
)

EVENTS = Headers((("content-type", "text/event-stream"),))
CREATE = Request("POST", "/v1beta/interactions", Headers(), b'{"model":"m","input":"hi","stream":true}')
POLL = Request("GET", "/v1beta/interactions/int_1")


def resume(cursor: str | None) -> Request:
    """The request for the part of the stream after `cursor`."""
    return PROTOCOL.resume(CREATE, "int_1", cursor)


def event(number: int, kind: str = "step.delta", **fields: object) -> bytes:
    """One event with the cursor `e<number>` and a multi-byte character in its text."""
    payload = {"index": 0, "delta": {"type": "text", "text": f"é{number} "}, **fields, "event_id": f"e{number}"}
    data = json.dumps({**payload, "event_type": kind}, ensure_ascii=False, separators=(",", ":"))
    return encode(kind, data.encode())


STREAM = (*(event(number) for number in range(1, 5)), event(5, "interaction.completed"), encode("done", b"[DONE]"))
"""Six frames: four deltas, the completion, the sentinel."""
BODY = b"".join(STREAM)
CRLF_STREAM = tuple(block.replace(b"\n", b"\r\n") for block in STREAM)


def after(count: int, stream: Sequence[bytes] = STREAM) -> int:
    """The offset right after the first `count` events."""
    return sum(map(len, stream[:count]))


def pieces_through(plan: str, pieces: Sequence[Piece], framing: Framing | None = None) -> list[Piece]:
    """What the faults of the plan's first connection turn these pieces into, including the ending."""
    faults = parse(plan).faults(0)
    machine, _ = transducer(faults, PROTOCOL, framing_for(faults, framing or Chunked()))
    return [out for piece in pieces for out in machine.feed(piece)]


def chunks(stream: Sequence[bytes]) -> list[Piece]:
    """Each event as a chunk, followed by a complete ending."""
    return [*map(Chunk, stream), COMPLETE]


def bytes_of(pieces: Sequence[Piece]) -> bytes:
    """All bytes of the chunks."""
    return b"".join(piece.data for piece in pieces if isinstance(piece, Chunk))


def through(plan: str, stream: Sequence[bytes] = STREAM) -> bytes:
    """The bytes that a client receives of a stream sent one event per chunk."""
    return bytes_of(pieces_through(plan, chunks(stream)))


def slices(body: bytes, size: int) -> list[bytes]:
    """The body split into parts of `size` bytes."""
    return [body[at : at + size] for at in range(0, len(body), size)]


def payloads(body: bytes) -> list[bytes]:
    """The data of the complete events of a body."""
    return [frame.data for frame in Decoder().feed(body)]


def cursors(body: bytes) -> list[str | None]:
    """The cursor of each complete JSON event."""
    return [PROTOCOL.cursor(json.loads(data)) for data in payloads(body) if data != b"[DONE]"]


class CountedBody(PieceBody):
    """A body that calls back each time it is closed."""

    __slots__ = ("_closed",)

    def __init__(self, pieces: Iterator[Piece], closed: Callable[[], None]) -> None:
        super().__init__(pieces)
        self._closed = closed

    def close(self) -> None:
        """Call back, also if it was closed before."""
        self._closed()
        super().close()


class Live:
    """A service that streams STREAM, honours exclusive resume, and counts requests and closings."""

    def __init__(self, stream: Sequence[bytes] = STREAM) -> None:
        self.stream = stream
        self.requests: list[Request] = []
        self.closings = 0

    def __call__(self, request: Request) -> Response:
        """Answer with the stream or its rest, or with JSON for a poll."""
        self.requests.append(request)
        asked = PROTOCOL.is_resume(request)
        if asked is None and request.method == "GET":
            return Response.whole(200, Headers((("content-type", "application/json"),)), b'{"id":"int_1"}')
        start = 0
        if asked is not None and asked[1] is not None:
            if asked[1] not in cursors(b"".join(self.stream)):
                return Response.whole(400, Headers((("content-type", "application/json"),)), b"{}")
            start = cursors(b"".join(self.stream)).index(asked[1]) + 1
        return Response(200, EVENTS, Chunked(), CountedBody(self._pieces(start), self._closed))

    def _pieces(self, start: int) -> Iterator[Piece]:
        yield from map(Chunk, self.stream[start:])
        yield COMPLETE

    def _closed(self) -> None:
        self.closings += 1


def read(response: Response) -> tuple[bytes, Ending]:
    """All bytes of a response and its ending; the body is closed."""
    pieces = []
    for piece in response.body:
        pieces.append(piece)
        if isinstance(piece, Ending):
            break
    response.body.close()
    assert isinstance(pieces[-1], Ending)
    return bytes_of(pieces), pieces[-1]
