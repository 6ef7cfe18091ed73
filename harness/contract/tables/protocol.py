"""`PROTOCOL`: all that the generic layers know about the Interactions API.

Record, replay, fault injection and resume use `PROTOCOL` and know nothing else of the API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from harness.contract.tables.operations import CANCEL, CREATE, DELETE, GET, operation_of
from harness.contract.tables.stream_order import RENAMED_EVENTS
from harness.wire import Request, StreamProtocol, encode
from harness.wire.json_value import encode_json
from harness.wire.message import EVENT_STREAM
from harness.wire.secrets import SecretFields

STATUS_OF: dict[str, int] = {
    "invalid_request": 400,
    "failed_precondition": 400,
    "parameter_unknown": 400,
    "authentication": 401,
    "payment_required": 402,
    "permission_denied": 403,
    "not_found": 404,
    "model_not_found": 404,
    "already_exists": 409,
    "aborted": 409,
    "out_of_range": 416,
    "rate_limit_exceeded": 429,
    "quota_exceeded": 429,
    "too_many_requests": 429,
    "cancelled": 499,
    "api_error": 500,
    "unimplemented": 501,
    "service_unavailable": 503,
    "deadline_exceeded": 504,
}
"""The documented HTTP status of each documented code; the set of codes is open."""

_CODE_OF = {status: code for code, status in reversed(STATUS_OF.items())}


def code_of(status: int) -> str:
    """The code for an error of this status: the first in the table, otherwise the words of HTTP for it."""
    if status in _CODE_OF:
        return _CODE_OF[status]
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "refused"
    return phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")


DONE = b"[DONE]"
COMPLETED_EVENT = "interaction.completed"
CREATED_EVENT = "interaction.created"
STATUS_EVENT = "interaction.status_update"
ERROR_EVENT = "error"
STEP_EVENTS = frozenset({"step.start", "step.delta", "step.stop"})
RUN_EVENTS = STEP_EVENTS | {CREATED_EVENT, STATUS_EVENT, COMPLETED_EVENT}
"""The listed event types that tell what a run did; an error is left out, as it may concern the connection only."""

COLLECTION = "interactions"

Event = Mapping[str, Any]

_JSON = "application/json"
_SENTENCE = "The model output could not be generated. This output contains sensitive words."
_QUOTA = "You exceeded your current quota, please check your plan and billing details."
FRONT_END = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}  # fmt: skip
"""The status that a front end names beside each HTTP status."""


def cursor_of(event: Event) -> str | None:
    """The top-level `event_id`. An `event_id` inside `interaction`, which Vertex sends, is not a cursor."""
    cursor = event.get("event_id")
    return cursor if isinstance(cursor, str) and cursor else None


def with_cursor(event: Event, cursor: str | None) -> dict[str, Any]:
    """A copy with this cursor in its usual place, before `event_type`; None: without a cursor."""
    copy = {key: value for key, value in event.items() if key != "event_id"}
    if cursor is None:
        return copy
    kind = {"event_type": copy.pop("event_type")} if "event_type" in copy else {}
    return {**copy, "event_id": cursor, **kind}


def completes(event: Event) -> bool:
    """Whether this is interaction.completed, whatever its status."""
    return event.get("event_type") == COMPLETED_EVENT


def ends(event: Event) -> bool | None:
    """Whether nothing but [DONE] follows this event, also under its old name; None: it is about no run."""
    kind = event.get("event_type")
    name = RENAMED_EVENTS.get(kind, kind) if isinstance(kind, str) else ""
    if name == ERROR_EVENT:
        return True if isinstance(event.get("error"), Mapping) else None
    return name == COMPLETED_EVENT if name in RUN_EVENTS else None


def is_error(event: Event) -> bool:
    """Whether this is an error event. One without an `error` field is a kind of keepalive and ends nothing."""
    return event.get("event_type") == ERROR_EVENT


def interaction_id(event: Event) -> str | None:
    """The id of the interaction that an event names; None if it names none or an unstored one ("")."""
    inner = event.get("interaction")
    found = inner.get("id") if isinstance(inner, Mapping) else event.get("interaction_id")
    return found if isinstance(found, str) and found else None


def resume_request(request: Request, resource: str, cursor: str | None) -> Request:
    """The GET of the interaction as a stream, with the credentials and the API version of `request`."""
    query = [("stream", "true"), *([("last_event_id", cursor)] if cursor is not None else [])]
    kept = [pair for pair in request.query if pair[0] in ("key", "alt")]
    parts = request.raw_path.rstrip("/").split("/")
    # before the collection: the version, or Vertex's project and location
    root = "/".join(parts[: parts.index(COLLECTION)] if COLLECTION in parts else parts)
    target = f"{root}/{COLLECTION}/{quote(resource, safe='')}?{urlencode(query + kept)}"
    headers = request.headers.without("content-type", "content-length", "transfer-encoding", "content-encoding")
    return Request("GET", target, headers.having("accept", EVENT_STREAM))


def is_resume(request: Request) -> tuple[str, str | None] | None:
    """(interaction id, cursor) of a GET with stream=true; None for any other request."""
    segments = request.segments
    if request.method != "GET" or len(segments) < 2 or segments[-2] != COLLECTION:
        return None
    if (request.parameter("stream") or "").lower() != "true":
        return None
    return segments[-1], request.parameter("last_event_id") or None


def error_event(code: str, message: str, event_id: str | None) -> bytes:
    """One complete in-stream error frame."""
    identity = {} if event_id is None else {"event_id": event_id}
    event = {"error": {"code": code, "message": message}, **identity, "event_type": ERROR_EVENT}
    return encode(ERROR_EVENT, encode_json(event, compact=True))


def bare_error(refused: bool) -> bytes:
    """The recorded error at the end of failed streams: a rejection in one line, an outage in a list."""
    if refused:
        return error_body(400, "prohibited_content", "Input blocked: the prompt contains sensitive words") + b"\n"
    outage = {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}
    return json.dumps([{"error": outage}], indent=2).encode() + b"\n"


def error_body(status: int, code: str, message: str) -> bytes:
    """The body of an error response, which does not contain the HTTP status; "" is the code of that status."""
    return encode_json({"error": {"message": message, "code": code or code_of(status)}}, compact=True)


def shaped_error(shape: str, status: int, message: str, wait: str | None) -> tuple[str, bytes]:
    """Media type and body of an error response in a shape that was seen live.

    A front end has a number as the code, a status in capitals, and details; cancel once got it as a list.
    Sentences as codes were seen at blocked output. A proxy on the way writes HTML.
    """
    if shape == "html":
        title = f"{status} {message.partition(':')[0]}"
        page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
        return "text/html", page.encode()
    if shape == "sentence":
        return _JSON, error_body(status, _SENTENCE, "Request blocked due to safety violations.")
    if shape not in ("front-end", "list"):
        return _JSON, error_body(status, "", message)
    error: dict[str, Any] = {"code": status, "message": message, "status": FRONT_END.get(status, "UNKNOWN")}
    if wait is not None:
        error["message"] = f"{_QUOTA} Please retry in {wait}s."
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait}s"}]
    return _JSON, json.dumps({"error": error} if shape == "front-end" else [{"error": error}], indent=2).encode()


def operation(request: Request) -> str:
    """`create`, `get`, `cancel` or `delete` of an interaction; "" for any other request."""
    found = operation_of(request)
    return {CREATE: "create", GET: "get", CANCEL: "cancel", DELETE: "delete"}.get(found.call, "") if found else ""


def text_of(event: Event) -> tuple[str, str] | None:
    """(join key, fragment) of a delta that carries text, arguments or a thought summary; otherwise None.

    Recognized by the place of the text, not by the type, so that it works in every revision.
    """
    delta = event.get("delta")
    if not isinstance(delta, dict):  # hot: a `Mapping` takes several times as long to recognize
        return None
    kind, part = delta.get("type"), delta.get("content")
    if not isinstance(kind, str):
        return None
    for text in (delta.get("text"), delta.get("arguments"), part.get("text") if isinstance(part, dict) else None):
        if isinstance(text, str):
            return f"{event.get('index')}/{kind}", text
    return None


def is_fragment(event: Event) -> bool:
    """Whether this is a delta: how an output is split into deltas differs from run to run."""
    return "delta" in event


def name_event(event: Any) -> str:
    """The kind of an event as the event itself states it, such as `step.delta(text)`."""
    if not isinstance(event, Mapping):
        return "not an object"
    inner: Mapping[str, Any] = next(
        (event[key] for key in ("delta", "step") if isinstance(event.get(key), Mapping)), {}
    )
    kind = str(event.get("event_type", "?"))
    return f"{kind}({inner['type']})" if isinstance(inner.get("type"), str) else kind


PROTOCOL = StreamProtocol(
    name="gemini-interactions",
    cursor=cursor_of,
    with_cursor=with_cursor,
    completes=completes,
    ends=ends,
    is_error=is_error,
    sentinel=DONE,
    stream_id=interaction_id,
    resume=resume_request,
    is_resume=is_resume,
    error_event=error_event,
    bare_error=bare_error,
    error_body=error_body,
    shaped_error=shaped_error,
    operation=operation,
    text_of=text_of,
    id_fields=frozenset(
        {
            "id", "interaction_id", "previous_interaction_id", "event_id", "call_id", "environment_id",
            "webhook_id", "trigger_id", "agent_id",
        }
    ),
    opaque_fields=frozenset({"signature", "data", "continuation_token"}),
    is_fragment=is_fragment,
    name_event=name_event,
    kind_fields=frozenset({"type", "event_type", "object", "role", "status", "code", "modality", "service_tier"}),
    secret_fields=SecretFields(
        {"key", "token", "auth_token", "environment_key", "new_signing_secret", "signing_secret"},
        inside={"env": None, "transform": None, "headers": None, "credentials": {"value"}},
        spared={"credential"},
        receivers={("webhook_config", "uris"), ("webhooks", "uri")},
    ),
)  # fmt: skip
