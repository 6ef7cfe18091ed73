"""Defines gateways that run in this process, and how defective ones are declared.

A gateway is a service around its upstream. The faithful one passes everything on; a mutant changes one
thing. Streams are edited frame by frame as they pass, so pauses and hang-ups still go through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

from msgspec.structs import replace

from harness.checks.gateway.client import name_operation
from harness.kit.mutant import Mutant, table
from harness.wire import (
    Body,
    Chunk,
    Decoder,
    Ending,
    Frame,
    Length,
    Piece,
    PieceBody,
    Request,
    Response,
    Service,
)
from harness.wire.bodies import encode_json, object_or_none
from harness.wire.message import EVENT_STREAM
from harness.wire.sse import encode_frame

Json = dict[str, Any]


class Gateway:
    """A gateway that passes everything on unchanged."""

    def __init__(self, upstream: Service) -> None:
        self.upstream = upstream

    def __call__(self, request: Request) -> Response:
        return self.relay_response(request, self.upstream(self.relay_request(request)))

    def relay_request(self, request: Request) -> Request:
        """The request as it goes upstream."""
        return request

    def relay_response(self, request: Request, response: Response) -> Response:
        """The answer as it goes to the client."""
        if response.headers.media_type() == EVENT_STREAM:
            response.body = self.relay_stream(request, response.body)
        return response

    def relay_stream(self, request: Request, body: Body) -> Body:
        """A stream as it goes to the client."""
        return body


class FrameEdit:
    """Passes the frames of one stream on; each stream gets its own instance."""

    def __init__(self, request: Request) -> None:
        self.request = request

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        """The bytes to send for frame `number` (from 0)."""
        yield encode_frame(frame)

    def end(self, rest: bytes, ending: Ending) -> tuple[bytes, Ending]:
        """The bytes to send at the end, and the ending; `rest` is an incomplete last frame."""
        return rest, ending


def edit_frames(body: Body, edit: FrameEdit) -> Body:
    """A body whose frames pass through a `FrameEdit`."""

    def pass_pieces() -> Iterator[Piece]:
        decoder, number = Decoder(), 0
        for piece in body:
            if isinstance(piece, Chunk):
                for frame in decoder.feed(piece.data):
                    yield from map(Chunk, edit.frame(number, frame))
                    number += 1
            elif isinstance(piece, Ending):
                cut = decoder.end()
                data, ending = edit.end(cut.raw if cut is not None else b"", piece)
                if data:
                    yield Chunk(data)
                yield ending
            else:
                yield piece

    return PieceBody(pass_pieces(), body.close)


GatewayBuild: TypeAlias = Callable[[Service], Service]
"""Puts a gateway in front of a service."""

Answer: TypeAlias = Callable[[Request], Response | None]
RequestChange: TypeAlias = Callable[[Request], Request]
ResponseChange: TypeAlias = Callable[[Request, Response], Response]
BodyChange: TypeAlias = Callable[[Request, Body], Body]
FrameChange: TypeAlias = Callable[[Frame, int, Request], bytes]


class DefectiveGateway(Gateway):
    """A gateway with a defect in what it answers itself, in requests, in responses or in streams."""

    def __init__(
        self,
        upstream: Service,
        *,
        answer: Answer = lambda request: None,
        request: RequestChange = lambda request: request,
        response: ResponseChange = lambda request, response: response,
        stream: BodyChange = lambda request, body: body,
    ) -> None:
        super().__init__(upstream)
        self._answer, self._request, self._response, self._stream = answer, request, response, stream

    def __call__(self, request: Request) -> Response:
        answered = self._answer(request)
        return answered if answered is not None else super().__call__(request)

    def relay_request(self, request: Request) -> Request:
        return self._request(request)

    def relay_response(self, request: Request, response: Response) -> Response:
        return super().relay_response(request, self._response(request, response))

    def relay_stream(self, request: Request, body: Body) -> Body:
        return self._stream(request, body)


def row(name: str, rule: str, summary: str, build: GatewayBuild) -> Mutant[GatewayBuild]:
    """Return a mutant that is made for a rule: what a client or an upstream would notice, and the defect."""
    return table(f"gw.{rule}", Mutant(name, summary, build))[0]


def answer_itself(answer: Answer) -> GatewayBuild:
    """Answer in place of the upstream wherever `answer` returns a response."""
    return partial(DefectiveGateway, answer=answer)


def change_request(change: RequestChange) -> GatewayBuild:
    """Change every request."""
    return partial(DefectiveGateway, request=change)


def change_create(change: Callable[[Json], Json]) -> GatewayBuild:
    """Change the body of every create."""

    def edit(request: Request) -> Request:
        if name_operation(request) != "create":
            return request
        return with_body(request, change(parse_body(request)))

    return change_request(edit)


def change_response(change: ResponseChange) -> GatewayBuild:
    """Change every response, before its stream is passed on."""
    return partial(DefectiveGateway, response=change)


def change_answer(change: Callable[[Json], Json], *, errors: bool = False) -> GatewayBuild:
    """Change the JSON objects of responses: of errors if `errors` is set, else of all others."""
    return change_response(
        lambda _, response: change_json(response, change) if (response.status >= 400) is errors else response
    )


def edit_streams(edit: type[FrameEdit]) -> GatewayBuild:
    """Edit every stream: for defects that remember something."""
    return partial(DefectiveGateway, stream=lambda request, body: edit_frames(body, edit(request)))


def change_pieces(change: Callable[[Body], Iterable[Piece]]) -> GatewayBuild:
    """Send other pieces for those of every stream."""
    return partial(DefectiveGateway, stream=lambda _, body: PieceBody(change(body), body.close))


def change_frames(change: FrameChange) -> GatewayBuild:
    """Send other bytes for the frames of every stream; `change` gets the frame, its number and the request."""

    class ChangedFrames(FrameEdit):
        def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
            data = change(frame, number, self.request)
            return (data,) if data else ()

    return edit_streams(ChangedFrames)


def drop_frames(test: Callable[[Frame], object]) -> GatewayBuild:
    """Leave out the frames that pass a test."""
    return change_frames(lambda frame, *_: b"" if test(frame) else encode_frame(frame))


def change_events(change: Callable[[Json], Json]) -> GatewayBuild:
    """Change the payload of every event."""

    def edit(frame: Frame, *_: object) -> bytes:
        event = event_of(frame)
        return encode_frame(frame) if event is None else with_payload(frame, change(event))

    return change_frames(edit)


# Surgery


def event_of(frame: Frame) -> Json | None:
    """The payload of a frame, or None if it is not a JSON object."""
    return object_or_none(frame.data)


def with_payload(frame: Frame, event: Json) -> bytes:
    """The frame with another payload."""
    return encode_frame(frame._replace(data=encode_json(event)))


def parse_body(request: Request) -> Json:
    """The JSON object in a request, or `{}`."""
    return object_or_none(request.body) or {}


def with_body(request: Request, body: Json) -> Request:
    """The request with another JSON body, if it had one."""
    return replace(request, body=encode_json(body)) if request.body else request


def read_body(response: Response) -> tuple[bytes, Ending]:
    """Read and close a body that does not pause; return all its bytes and its ending."""
    data, ending = b"", None
    for piece in response.body:
        if isinstance(piece, Chunk):
            data += piece.data
        elif isinstance(piece, Ending):
            ending = piece
            break
    response.body.close()
    assert ending is not None
    return data, ending


def change_json(response: Response, change: Callable[[Json], Json]) -> Response:
    """Apply `change` to an answer that is a whole JSON object; leave any other answer unchanged."""
    if response.headers.media_type() != "application/json" or not isinstance(response.framing, Length):
        return response
    data, ending = read_body(response)
    if not ending.complete:
        response.body = PieceBody((Chunk(data), ending) if data else (ending,))
        return response
    value = json.loads(data)
    return Response.whole(response.status, response.headers, encode_json(change(value)))
