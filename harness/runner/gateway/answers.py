"""What the upstream says when a trial wants it to say something in particular: cuts, refusals, edited streams.

Layer 4. Each function gives an `Answer` for one create; the emulator has done its work in all but the refusals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from harness.contract import PROTOCOL
from harness.faults import cut
from harness.runner.gateway.upstream import Answer
from harness.wire import (
    COMPLETE,
    Chunk,
    Decoder,
    Ending,
    Frame,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    Service,
    encode,
)
from harness.wire.message import EVENT_STREAM

UNKNOWN_TYPE = "interaction.harness_unknown"
UNKNOWN_FIELD = "harness_unknown_field"

Edit = Callable[[int, Frame], bytes]
"""(number, frame) → the bytes that go out in its place."""


def suffering(plan: str) -> Answer:
    """The emulator's answer, dropped or disturbed by a fault plan."""

    def answer(service: Service, request: Request) -> Response:
        return cut(service, plan, PROTOCOL)(request)

    return answer


def refusing(status: int, code: str, message: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """An error in the API's shape; nothing is created."""

    def answer(service: Service, request: Request) -> Response:
        return Response.json(status, PROTOCOL.error_body(status, code, message), headers)

    return answer


def edited(edit: Edit) -> Answer:
    """The emulator's stream with frames in place of some of its own; an answer that is no stream stays."""

    def answer(service: Service, request: Request) -> Response:
        response = service(request)
        if _streams(response):
            chunks = [Chunk(edit(number, frame)) for number, frame in enumerate(_frames(response))]
            response.body = PieceBody((*chunks, COMPLETE))
        return response

    return answer


class Gate:
    """An `Answer` whose events go out when they are let: until then the stream stands still."""

    def __init__(self) -> None:
        self._allowed = 0.0

    def let(self, events: float) -> None:
        """Let so many events in all go out, `inf` for all there are and the end."""
        self._allowed = events

    def __call__(self, service: Service, request: Request) -> Response:
        response = service(request)
        if _streams(response):
            response.body = PieceBody(self._pieces(_frames(response)))
        return response

    def _pieces(self, frames: Sequence[Frame]) -> Iterator[Piece]:
        for number, frame in enumerate(frames):
            while number >= self._allowed:
                yield Pause(_LOOK)
            yield Chunk(plain(frame))
        yield COMPLETE


class Held:
    """An `Answer` that breaks off as a fault plan says, and not before it is let: what came first is read."""

    def __init__(self, plan: str) -> None:
        self._answer = suffering(plan)
        self._allowed = False

    def let(self) -> None:
        """Let it end now."""
        self._allowed = True

    def __call__(self, service: Service, request: Request) -> Response:
        response = self._answer(service, request)
        if _streams(response):
            inner = response.body
            response.body = PieceBody(self._pieces(inner), on_close=inner.close)
        return response

    def _pieces(self, inner: Iterable[Piece]) -> Iterator[Piece]:
        for piece in inner:
            while isinstance(piece, Ending) and not self._allowed:
                yield Pause(_LOOK)
            yield piece


class Meeting:
    """An `Answer` for several creates: their streams go on together, event by event, once all of them are there.

    `seconds` are what one waits for the others.
    """

    def __init__(self, creates: int, seconds: float) -> None:
        self._missing = creates
        self._looks = int(seconds / _LOOK)

    def __call__(self, service: Service, request: Request) -> Response:
        response = service(request)
        if _streams(response):
            self._missing -= 1
            response.body = PieceBody(self._pieces(_frames(response)))
        return response

    def _pieces(self, frames: Sequence[Frame]) -> Iterator[Piece]:
        for _ in range(self._looks):
            if self._missing <= 0:
                break
            yield Pause(_LOOK)
        for frame in frames:
            yield Chunk(plain(frame))
            yield Pause(_LOOK)
        yield COMPLETE


_LOOK = 0.005
"""Seconds between two looks whether more may go out."""


def _streams(response: Response) -> bool:
    return response.headers.media_type() == EVENT_STREAM


def _frames(response: Response) -> list[Frame]:
    """The frames of a stream that does not wait; closes its body."""
    data = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
    response.body.close()
    return Decoder().feed(data)


def plain(frame: Frame) -> bytes:
    """A frame as it was."""
    return encode(frame.event.decode() if frame.event is not None else None, frame.data)


def with_strangers(number: int, frame: Frame) -> bytes:
    """Each event has a field, and the third a neighbour, that nobody knows."""
    if frame.data == PROTOCOL.sentinel:
        return plain(frame)
    event = {**json.loads(frame.data), UNKNOWN_FIELD: {"kept": True}}
    told = plain(frame._replace(data=_json(event)))
    stranger = encode(UNKNOWN_TYPE, _json({"event_type": UNKNOWN_TYPE, "note": "new in a later revision"}))
    return told + stranger if number == 2 else told


BROKEN = 5
"""The number of the frame that is broken: a delta in the middle of the text."""


def with_broken_frame(number: int, frame: Frame) -> bytes:
    """One delta's JSON is cut short; the frame around it is whole."""
    return plain(frame._replace(data=frame.data[: len(frame.data) // 2]) if number == BROKEN else frame)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
