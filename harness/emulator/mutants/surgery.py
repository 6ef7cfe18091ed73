"""Changes finished responses, for mutants whose defect is in what the service sends.

Layer 2. Works on whole responses only: streams are left unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from harness.emulator.values.call import Call, Refusal
from harness.wire import Chunk, Headers, Length, Response
from harness.wire.json_value import object_or_none

Json = dict[str, Any]

JSON_TYPE = "application/json"


def bytes_of(response: Response) -> bytes:
    """Read a whole response and return its body."""
    return b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))


def is_json(response: Response) -> bool:
    """Whether this is a whole JSON response."""
    return isinstance(response.framing, Length) and response.headers.media_type() == JSON_TYPE


def with_bytes(response: Response, data: bytes) -> Response:
    """The same status and headers with another body."""
    return Response.whole(response.status, response.headers, data)


def altered(response: Response, change: Callable[[Any], Any]) -> Response:
    """Apply `change` to the value of a JSON response, possibly in place; any other response is left as it is."""
    if not is_json(response):
        return response
    value = msgspec.json.decode(bytes_of(response))
    changed = change(value)
    return with_bytes(response, msgspec.json.encode(value if changed is None else changed))


def plain_error(status: int, message: str = "Internal error.", code: str = "api_error") -> Response:
    """An error response in the API's shape."""
    return Refusal(status, code, message).response()


def html(status: int) -> Response:
    """An HTML error page such as a proxy or a web framework would send."""
    page = b"<!doctype html><title>Error</title><h1>Something went wrong</h1>"
    return Response.whole(status, Headers((("content-type", "text/html"),)), page)


def sent(call: Call) -> Json:
    """The body of a call as an object, `{}` if it is not one."""
    return object_or_none(call.request.body) or {}
