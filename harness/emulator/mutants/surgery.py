"""Changes to finished answers, for mutants whose defect is in what leaves the service.

Layer 2. Works on whole responses only: a stream passes through untouched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from harness.emulator.call import Call, Refusal
from harness.wire import Chunk, Headers, Length, Response
from harness.wire.json_value import object_or_none

Json = dict[str, Any]

JSON_TYPE = "application/json"


def bytes_of(response: Response) -> bytes:
    """The body of a whole response, pulled."""
    return b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))


def is_json(response: Response) -> bool:
    """Whether this is a whole JSON answer."""
    return isinstance(response.framing, Length) and response.headers.media_type() == JSON_TYPE


def with_bytes(response: Response, data: bytes) -> Response:
    """The same head over another body."""
    return Response.whole(response.status, response.headers, data)


def altered(response: Response, change: Callable[[Any], Any]) -> Response:
    """A JSON answer with its value changed; any other answer as it is. `change` may work in place."""
    if not is_json(response):
        return response
    value = msgspec.json.decode(bytes_of(response))
    changed = change(value)
    return with_bytes(response, msgspec.json.encode(value if changed is None else changed))


def plain_error(status: int, message: str = "Internal error.", code: str = "api_error") -> Response:
    """An error in the API's shape."""
    return Refusal(status, code, message).response()


def html(status: int) -> Response:
    """What a proxy or a web framework would show."""
    page = b"<!doctype html><title>Error</title><h1>Something went wrong</h1>"
    return Response.whole(status, Headers((("content-type", "text/html"),)), page)


def sent(call: Call) -> Json:
    """The body of a call as an object, `{}` when it is none."""
    return object_or_none(call.request.body) or {}
