"""One call as the emulator's parts see it, and the two things they answer: a value or a refusal.

Layer 2. Knows JSON bodies and error shapes; must not know any resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.wire import Headers, Request, Response

ERROR_HEADERS = Headers((("content-type", "application/json; charset=UTF-8"),))


@dataclass(slots=True)
class Call:
    """A routed request. Never changed after it was made; `frozen` would cost a microsecond a request.

    `segments` are the decoded path segments below the API version, `query` the last value of each parameter,
    `body` the parsed JSON (None when there was none), `project` who the key belongs to, `vertex` whether the path
    has the Vertex form.
    """

    request: Request
    segments: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    project: str = "default"
    vertex: bool = False


class Refusal(Exception):
    """The emulator's no: it becomes an error response in the API's own shape."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def response(self) -> Response:
        """`{"error": {"message", "code"}}` with its HTTP status."""
        body = msgspec.json.encode({"error": {"message": self.message, "code": self.code}})
        return Response.whole(self.status, Headers((*ERROR_HEADERS.items(), *self.headers)), body)


def invalid(message: str, code: str = "invalid_request") -> Refusal:
    """The 400 of a request that cannot succeed as it is."""
    return Refusal(400, code, message)


def not_found(message: str) -> Refusal:
    """The 404 of a resource or path that is not there."""
    return Refusal(404, "not_found", message)


def decoded(data: bytes) -> Any:
    """The JSON value of a body. Raises Refusal 400 (errors page: invalid_request)."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise invalid(f"The body is not valid JSON: {fault}.") from None
    except RecursionError:
        raise invalid("The body is nested too deeply.") from None


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response.json(status, msgspec.json.encode(value))
