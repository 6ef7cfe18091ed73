"""A call: where its target leads, what it carries, and its two kinds of answer, a JSON value or a refusal.

Knows the three version prefixes, the Vertex form and the session prefix of a path, JSON bodies and error shapes;
must not know what an operation does. The API documents no error code for 405, so an operation that a resource
lacks is refused with 404, as a route that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import Struct, field

from harness.contract.tables.protocol import FRONT_END
from harness.emulator.values.settings import GEMINI, Platform
from harness.wire import Headers, Request, Response
from harness.wire.addresses import CONTROL, split_session

VERSIONS = ("v1beta", "v1", "v1beta1")


class Route(Struct, frozen=True):
    """The destination of a request.

    `session` is None for the default session. `version` is `""` for the control API and for a path without a
    version. `segments` are percent-decoded, without the session and the version; if `vertex` is set, also without
    the project and location of the Vertex form. Only Vertex has `/v1beta1`: a key of its express mode names the
    project, and SDKs leave the location out, too.
    """

    session: str | None
    control: bool
    version: str
    segments: tuple[str, ...]
    query: dict[str, str]
    vertex: bool = False


@lru_cache(maxsize=4096)
def route(target: str) -> Route:
    """Route a raw request target; never raises. `segments` keep the `upload` that comes before the version."""
    raw, _, query_text = target.partition("?")
    segments = tuple(unquote(part) for part in raw.split("/")[1:])
    query = dict(parse_qsl(query_text, keep_blank_values=True)) if query_text else {}
    session, segments = split_session(segments)
    if segments[:1] == (CONTROL,):
        return Route(session, True, "", tuple(part for part in segments[1:] if part), query)
    upload, segments = (segments[:1], segments[1:]) if segments[:1] == ("upload",) else ((), segments)
    if not segments or segments[0] not in VERSIONS:
        return Route(session, False, "", (*upload, *segments), query)
    version, below = segments[0], segments[1:]
    vertex = version == "v1beta1"
    for collection in ("projects", "locations"):
        if len(below) > 2 and below[0] == collection:
            vertex, below = True, below[2:]
    return Route(session, False, version, (*upload, *below), query, vertex)


def match_path(parts: Sequence[str], segments: tuple[str, ...]) -> list[str] | None:
    """The text behind each `*` of the parts of a path, None if it is another path.

    A `*` is any text within a segment, `**` at the end any rest.
    """
    if parts[-1] == "**":
        parts, segments = parts[:-1], segments[: len(parts) - 1]
    if len(parts) != len(segments):
        return None
    found = []
    for part, segment in zip(parts, segments, strict=True):
        start, star, end = part.partition("*")
        if not star and part == segment:
            continue
        if not star or not (segment.startswith(start) and segment.endswith(end)):
            return None
        found.append(segment[len(start) : len(segment) - len(end)])
    return found


_decode = msgspec.json.Decoder().decode

ERROR_HEADERS = Headers((("content-type", "application/json; charset=UTF-8"),))


class Call(Struct, frozen=True):
    """A routed request.

    `segments` are the decoded path segments below the API version, `query` the last value of each parameter,
    `body` the parsed JSON (None if there is none), `project` the project that the key belongs to, `platform` the
    surface that the path belongs to, `version` the version segment of the path.
    """

    request: Request
    segments: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    project: str = "default"
    platform: Platform = GEMINI
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
    are further objects with the reason.
    """

    details: tuple[Mapping[str, Any], ...] = ()

    def response(self) -> Response:
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


_STATUS_NAMES = {**FRONT_END, 409: "ALREADY_EXISTS", 416: "OUT_OF_RANGE"}


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


def no_operation(call: Call, has: str) -> Refusal:
    """The 404 for a missing operation; its message lists the operations that the resource `has`."""
    return not_found(f"No such operation: {call.request.method} {call.request.path}; it has {has}.")


def conflict(message: str) -> Refusal:
    """The 409 of those resources that answer a conflict with `aborted` (credentials, files)."""
    return Refusal(409, "aborted", message)


def over_quota(message: str) -> Refusal:
    """The 429 of a store that is full: the emulator bounds its memory."""
    return Refusal(429, "quota_exceeded", message)


def flag(call: Call, name: str) -> bool:
    """Whether a boolean query parameter is set, to `true` (in any case) or `1`."""
    return call.query.get(name, "").lower() in ("true", "1")


def usable_id(value: str, what: str) -> str:
    """Return `value` if it can be one segment of a path and precede a `:verb`; raise `Refusal` 400 otherwise."""
    if re.fullmatch(r"[^\s/:?#%]+", value) is None:
        raise invalid(f"The id {value!r} of {what} cannot be used in a path: avoid blanks and / : ? # %.")
    return value
