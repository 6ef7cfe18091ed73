"""A call as the parts of the emulator see it, and their two kinds of answer: a JSON value or a refusal.

Layer 2. Knows JSON bodies and error shapes; must not know any resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.wire import Headers, Request, Response

_decode = msgspec.json.Decoder().decode

ERROR_HEADERS = Headers((("content-type", "application/json; charset=UTF-8"),))


@dataclass(slots=True)
class Call:
    """A routed request. Must not be modified; `frozen=True` would cost a microsecond per request.

    `segments` are the decoded path segments below the API version, `query` the last value of each parameter,
    `body` the parsed JSON (None if there is none), `project` the project that the key belongs to, `vertex` whether
    the path has the Vertex form, `version` the version segment of the path.
    """

    request: Request
    segments: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    project: str = "default"
    vertex: bool = False
    version: str = ""


class Refusal(Exception):
    """Raised to refuse a request; becomes an error response in the API's own shape."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def response(self) -> Response:
        """Return `{"error": {"message", "code"}}` with the HTTP status."""
        body = msgspec.json.encode({"error": {"message": self.message, "code": self.code}})
        return Response.whole(self.status, Headers((*ERROR_HEADERS.items(), *self.headers)), body)


class RpcRefusal(Refusal):
    """A refusal in the shape of the front end and of the services beside this API: numeric code, status by name.

    Source: recorded bodies of files and file search stores, `{"error": {"code", "message", "status"}}`. `details`
    are further objects that say why.
    """

    details: tuple[Mapping[str, Any], ...] = ()

    def response(self) -> Response:
        """Return the error response."""
        name = (
            "FAILED_PRECONDITION"
            if self.code == "failed_precondition"
            else _STATUS_NAMES.get(self.status, "UNKNOWN")
        )
        error: dict[str, Any] = {"code": self.status, "message": self.message, "status": name}
        if self.details:
            error["details"] = self.details
        body = msgspec.json.encode({"error": error})
        return Response.whole(self.status, Headers((*ERROR_HEADERS.items(), *self.headers)), body)


_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
}


def as_rpc(refusal: Refusal) -> RpcRefusal:
    """Return the same refusal in the shape of the services beside this API."""
    return RpcRefusal(refusal.status, refusal.code, refusal.message, refusal.headers)


def invalid(message: str, code: str = "invalid_request") -> Refusal:
    """Return a Refusal 400, for a request that cannot succeed as it is."""
    return Refusal(400, code, message)


def not_found(message: str) -> Refusal:
    """Return a Refusal 404, for a resource or a path that does not exist."""
    return Refusal(404, "not_found", message)


def decode_json(data: bytes) -> Any:
    """Decode a JSON body. Raises Refusal 400 (errors page: invalid_request)."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise invalid(f"The body is not valid JSON: {fault}.") from None
    except RecursionError:
        raise invalid("The body is nested too deeply.") from None


def json_response(value: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response.json(status, msgspec.json.encode(value))
