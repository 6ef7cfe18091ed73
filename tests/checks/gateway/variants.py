"""Gateways that change many things, but nothing that matters: no rule may blame them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from harness.contract import PROTOCOL
from harness.wire import Body, Chunk, Frame, Headers, Pause, Piece, Request, Response, Service
from harness.wire.sse import encode_frame
from lab.gateways.mutant import (
    FrameEdit,
    Gateway,
    change_json,
    change_request,
    edit_frames,
    event_of,
    parse_body,
    with_body,
    with_payload,
)

_OURS, _THEIRS = re.compile(r"v1_"), re.compile(r"gw_")


class RenamesIds(Gateway):
    """Replaces every id for the client, consistently."""

    def relay_request(self, request: Request) -> Request:
        body = _THEIRS.sub("v1_", request.body.decode()).encode()
        return replace(request, target=_THEIRS.sub("v1_", request.target), body=body)

    def relay_response(self, request: Request, response: Response) -> Response:
        def renamed(body: dict[str, Any]) -> dict[str, Any]:
            ids = ("id", "previous_interaction_id")
            return {name: _OURS.sub("gw_", v) if name in ids else v for name, v in body.items()}

        return change_json(super().relay_response(request, response), renamed)

    def relay_stream(self, request: Request, body: Body) -> Body:
        return edit_frames(body, _Renaming(request))


class _Renaming(FrameEdit):
    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return (encode_frame(frame._replace(data=re.sub(rb'"v1_', b'"gw_', frame.data))),)


class RenamesCursors(Gateway):
    """Gives events ids of its own, and translates them back when a client resumes with one."""

    def relay_request(self, request: Request) -> Request:
        return replace(request, target=request.target.replace("last_event_id=own-", "last_event_id="))

    def relay_stream(self, request: Request, body: Body) -> Body:
        return edit_frames(body, _Marking(request))


class _Marking(FrameEdit):
    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame)
        cursor = PROTOCOL.cursor(event) if event is not None else None
        if event is None or cursor is None:
            return (encode_frame(frame),)
        return (with_payload(frame, PROTOCOL.with_cursor(event, f"own-{cursor}")),)


class NamesModels(Gateway):
    """Shows clients an alias of the model."""

    def relay_request(self, request: Request) -> Request:
        body = parse_body(request)
        return with_body(request, {**body, "model": "gemini-9-internal"}) if "model" in body else request


class WritesInputsOut(Gateway):
    """Turns a text input into a list of contents, and the deprecated form of a format into the new one."""

    def relay_request(self, request: Request) -> Request:
        body = parse_body(request)
        if isinstance(body.get("input"), str):
            body["input"] = [{"type": "text", "text": body["input"]}]
        if "response_mime_type" in body:
            body["response_format"] = {"type": "text", "mime_type": body.pop("response_mime_type")}
        return with_body(request, body)


class RefusesStrangers(Gateway):
    """Refuses requests with a field that it does not know."""

    def __call__(self, request: Request) -> Response:
        if any(name.startswith("harness_") for name in parse_body(request)):
            error = PROTOCOL.error_body(400, "parameter_unknown", "What is that?")
            return Response.whole(400, Headers((("content-type", "application/json"),)), error)
        return super().__call__(request)


class RewritesFrames(Gateway):
    """Rewrites frames in small pieces: with spaces in the JSON, other line endings, and comments in between."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Pieces(edit_frames(body, _Rewriting(request)))


class _Rewriting(FrameEdit):
    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame)
        data = frame.data if event is None else json.dumps(event, indent=None, separators=(" , ", " : ")).encode()
        yield b": still here\r\n\r\n"
        yield encode_frame(frame._replace(data=data)).replace(b"\n", b"\r\n")


class _Pieces:
    """A body whose chunks are cut every seven bytes."""

    def __init__(self, inner: Body) -> None:
        self._inner = inner
        self._left = b""

    def __iter__(self) -> _Pieces:
        return self

    def __next__(self) -> Piece:
        while not self._left:
            piece = next(self._inner)
            if not isinstance(piece, Chunk):
                return piece
            self._left = piece.data
        data, self._left = self._left[:7], self._left[7:]
        return Chunk(data)

    def close(self) -> None:
        """Close the inner body."""
        self._inner.close()


class Hesitates(Gateway):
    """Forwards everything after a short delay."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Slow(body)


class _Slow(_Pieces):
    def __next__(self) -> Piece:
        self._left = b"" if self._left else b"."
        return Pause(0.001) if self._left else next(self._inner)


class JoinsDeltas(Gateway):
    """Merges two deltas into one: the same text in different events."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return edit_frames(body, _Joining(request))


class _Joining(FrameEdit):
    held = ""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame)
        if event is None or "text" not in event.get("delta", {}):
            return (encode_frame(frame),)
        if number == 5:
            self.held = event["delta"]["text"]
            return ()
        text, self.held = self.held + event["delta"]["text"], ""
        return (with_payload(frame, {**event, "delta": {"type": "text", "text": text}}),)


VARIANTS: dict[str, Callable[[Service], Service]] = {
    "faithful": Gateway,
    "own-key": change_request(lambda request: request.having(("x-goog-api-key", "key-of-the-gateway"))),
    "renamed-ids": RenamesIds,
    "renamed-cursors": RenamesCursors,
    "aliased-models": NamesModels,
    "inputs-written-out": WritesInputsOut,
    "strangers-refused": RefusesStrangers,
    "frames-rewritten": RewritesFrames,
    "slow": Hesitates,
}
