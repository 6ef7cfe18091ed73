"""`PROTOCOL`: all that the generic layers know about the Interactions API; its operations; the order of statuses.

Record, replay, fault injection and resume use `PROTOCOL` and know nothing else of the API. An operation is
recognized by its method and the end of its path, after any version or project; its schema is the one that a
successful JSON body must fit. Must not know the meaning of a response.

`LIFECYCLE` has the statuses of an interaction, and which may follow which. It is the single source of that order:
the emulator moves its runs by this table, and judges check a target's runs with it. Only transitions out of
in_progress are documented; the others follow from what the statuses mean, so breaking them is at most a warning.
The set of statuses is open: judges claim nothing about a status without a row. A status that only a newer revision
lists needs none: `read_lifecycle` lets runs end in it, as clients take it for an end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct

from harness.contract.schema.schemas import Schemas
from harness.contract.tables.stream_order import RENAMED_EVENTS
from harness.outcome import Basis, HarnessFault
from harness.wire import Request, StreamProtocol, encode
from harness.wire.bodies import encode_json
from harness.wire.message import EVENT_STREAM
from harness.wire.secrets import SecretFields

QUEUED = "queued"
IN_PROGRESS = "in_progress"
REQUIRES_ACTION = "requires_action"
REQUIRES_CONTINUATION = "requires_continuation"
COMPLETED = "completed"
FAILED = "failed"
CANCELLED = "cancelled"
INCOMPLETE = "incomplete"
BUDGET_EXCEEDED = "budget_exceeded"

RUNNING = frozenset({QUEUED, IN_PROGRESS})
"""The service is still working, or will be: poll again."""

TERMINAL = frozenset({COMPLETED, FAILED, CANCELLED, INCOMPLETE, BUDGET_EXCEEDED})
"""The interaction is over, and the client is not expected to continue it either."""

WAITING = frozenset({REQUIRES_ACTION, REQUIRES_CONTINUATION})
"""This interaction is over, and the client is expected to create the next one."""

SETTLED = TERMINAL | WAITING
"""The interaction itself no longer changes."""

STATUSES = RUNNING | SETTLED

RENAMED_STATUSES = {"done": COMPLETED}
"""Statuses from before May 2026, with the names of today."""


class Transition(Struct, frozen=True):
    """One row of the table: `after` may come next after `before`."""

    before: str
    after: str
    basis: Basis


class LifecycleTable:
    """A table of transitions, and what follows from it."""

    def __init__(self, transitions: Iterable[Transition]) -> None:
        self.transitions = tuple(transitions)
        self._next = {(row.before, row.after) for row in self.transitions}
        self._reached = {status: frozenset(self._reach(status)) for status in STATUSES}

    @property
    def ends(self) -> tuple[str, ...]:
        """The statuses in which a run can end."""
        return tuple(dict.fromkeys(row.after for row in self.transitions if row.after not in RUNNING))

    def end(self, status: str, final: str) -> str:
        """The status `final`, in which a run ends. Raises HarnessFault if a run that is `status` cannot."""
        if (status, final) not in self._next:
            ways = ", ".join(after for before, after in self._next if before == status) or "nothing"
            raise HarnessFault(f"{final!r} does not follow {status!r}; what may follow it: {ways}")
        return final

    def may_follow(self, before: str, after: str) -> bool | None:
        """Whether a poll may show `after` once an earlier one showed `before`; None if either is not listed.

        A poll may miss statuses between the two.
        """
        if before not in STATUSES or after not in STATUSES:
            return None
        return before == after or after in self._reached[before]

    def _reach(self, status: str) -> Iterator[str]:
        """All statuses that transitions lead to from `status`, in one or more steps; there is no circle."""
        for row in self.transitions:
            if row.before == status:
                yield row.after
                yield from self._reach(row.after)


LIFECYCLE = LifecycleTable(
    (
        Transition(QUEUED, IN_PROGRESS, Basis.INFERRED),
        Transition(QUEUED, CANCELLED, Basis.INFERRED),
        Transition(IN_PROGRESS, COMPLETED, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, FAILED, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, CANCELLED, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, REQUIRES_ACTION, Basis.DOCUMENTED),
        Transition(IN_PROGRESS, REQUIRES_CONTINUATION, Basis.INFERRED),
        Transition(IN_PROGRESS, INCOMPLETE, Basis.INFERRED),
        Transition(IN_PROGRESS, BUDGET_EXCEEDED, Basis.INFERRED),
    )
)
"""What may come next, and on what basis."""

may_follow = LIFECYCLE.may_follow


def read_statuses(schemas: Schemas) -> tuple[str, ...]:
    """The statuses that a revision lists."""
    return tuple(schemas.document("interaction-status")["x-known-values"])


def read_lifecycle(schemas: Schemas) -> LifecycleTable:
    """The table of a revision: `LIFECYCLE`, and a row for each listed status that it does not have."""
    added = [status for status in read_statuses(schemas) if status not in STATUSES]
    if not added:
        return LIFECYCLE
    rows = (Transition(IN_PROGRESS, status, Basis.INFERRED) for status in added)
    return LifecycleTable((*LIFECYCLE.transitions, *rows))


def is_settled(status: object) -> bool:
    """Whether polling may stop: true for every status, known or not, except the running ones."""
    return isinstance(status, str) and bool(status) and status not in RUNNING


INTERACTION = "interaction"

CREATE, GET = "POST interactions", "GET interactions/{id}"
CANCEL, DELETE = "POST interactions/{id}/cancel", "DELETE interactions/{id}"
"""The calls about interactions."""

RESERVED_PREFIXES = (
    "antigravity-", "veo-", "omni-", "lyria-", "imagen-", "gemma-", "gemini-", "google-",
    "youtube-", "android-", "chrome-", "pixel-", "waze-", "fitbit-", "nest-", "kaggle-",
)  # fmt: skip
"""Prefixes of ids of agents that are reserved for the provider; compared without regard to case."""


class Operation(Struct, frozen=True):
    """One call of the API. A JSON response must fit `schema`; one that does not breaks `rule`.

    Both are `""` if a success contains nothing to judge, such as the `{}` of a delete.
    """

    call: str
    schema: str = ""
    rule: str = ""


def _list_resource(name: str, item: str, rule: str, *, update: bool = True) -> list[Operation]:
    """The usual operations of a resource; `item` is the schema of one, beside which the schema `list` is."""
    folder = item.partition("/")[0]
    return [
        Operation(f"POST {name}", item, rule),
        Operation(f"GET {name}", f"{folder}/list", rule),
        Operation(f"GET {name}/{{id}}", item, rule),
        *([Operation(f"PATCH {name}/{{id}}", item, rule)] if update else []),
        Operation(f"DELETE {name}/{{id}}"),
    ]


_STORE = "fileSearchStores/{id}"
_DOWNLOADS = ("GET files/{id}", "GET environments/{id}/files")
_UPLOADS = ("POST files", f"POST {_STORE}:uploadToFileSearchStore")
_STORE_RULE = "filesearch.schema"
_BRINGS_IN = "file-search-stores/operation"

OPERATIONS = (
    Operation(CREATE, INTERACTION, "create.schema"),
    Operation(GET, INTERACTION, "get.schema"),
    Operation(CANCEL, INTERACTION, "cancel.schema"),
    Operation(DELETE),
    *_list_resource("agents", "agents/agent", "agents.schema"),
    *_list_resource("environments", "environments/environment", "env.schema", update=False),
    Operation("GET environments/{id}/files", "environments/files", "env.schema"),
    *_list_resource("webhooks", "webhooks/webhook", "hook.schema"),
    Operation("POST webhooks/{id}:ping"),
    Operation("POST webhooks/{id}:rotateSigningSecret", "webhooks/secret", "hook.schema"),
    *_list_resource("credentials", "credentials/credential", "cred.schema"),
    *_list_resource("triggers", "triggers/trigger", "trigger.schema"),
    Operation("POST triggers/{id}/executions", "triggers/execution", "trigger.schema"),
    Operation("GET triggers/{id}/executions", "triggers/executions", "trigger.schema"),
    Operation("POST files", "files/uploaded", "file.schema"),
    Operation("GET files", "files/list", "file.schema"),
    Operation("GET files/{id}", "files/file", "file.schema"),
    Operation("DELETE files/{id}"),
    *_list_resource("fileSearchStores", "file-search-stores/store", _STORE_RULE, update=False),
    Operation(f"POST {_STORE}:importFile", _BRINGS_IN, _STORE_RULE),
    Operation(f"POST {_STORE}:uploadToFileSearchStore", _BRINGS_IN, _STORE_RULE),
    Operation(f"GET {_STORE}/operations/{{id}}", _BRINGS_IN, _STORE_RULE),
    Operation(f"GET {_STORE}/upload/operations/{{id}}", _BRINGS_IN, _STORE_RULE),
    Operation(f"GET {_STORE}/documents", "file-search-stores/documents", _STORE_RULE),
    Operation(f"GET {_STORE}/documents/{{id}}", "file-search-stores/document", _STORE_RULE),
    Operation(f"DELETE {_STORE}/documents/{{id}}"),
    *_list_resource("voices", "voices/voice", "voice.schema", update=False),
    Operation("POST decisions", "decisions/decision", "decision.schema"),
)
_BY_CALL = {operation.call: operation for operation in OPERATIONS}
_VERBS = frozenset(call.rpartition("}:")[2] for call in _BY_CALL if "}:" in call)
_NUMERIC = frozenset({"files", "files:register", "fileSearchStores"})
ROOTS = frozenset(call.split(" ")[1].partition("/")[0] for call in _BY_CALL)
"""The first segments below the version."""


def operation_of(request: Request) -> Operation | None:
    """The operation that a request calls; None for anything else, for a download, and for a part of an upload."""
    operation = _look_up(request.method, request.segments)
    return None if operation is not None and _moves_content(request, operation) else operation


def is_transfer(request: Request) -> bool:
    """Whether a request downloads a file, or sends a part of one that does not finish it."""
    operation = _look_up(request.method, request.segments)
    return operation is not None and _moves_content(request, operation)


def _moves_content(request: Request, operation: Operation) -> bool:
    if operation.call in _DOWNLOADS:
        return request.parameter("alt") == "media"
    if operation.call not in _UPLOADS:
        return False
    command = request.headers.get("x-goog-upload-command").lower()
    return bool(command) and "finalize" not in command


@lru_cache(maxsize=512)  # each judge asks again
def _look_up(method: str, segments: tuple[str, ...]) -> Operation | None:
    for start, segment in enumerate(segments):
        if segment == "files" and "environments" in segments[:start]:
            return None  # a path inside an environment
        if segment in ROOTS and (found := _BY_CALL.get(f"{method} {_to_template(segments[start:])}")):
            return found
    return None


def has_numeric_errors(request: Request) -> bool:
    """Whether refusals have a numeric code and a `status`, as recorded for files and file search stores."""
    return "environments" not in request.segments and not _NUMERIC.isdisjoint(request.segments)


def _to_template(tail: tuple[str, ...]) -> str:
    """`webhooks/w1:ping` as `webhooks/{id}:ping`, also two levels down; an empty id does not count as one.

    Any other colon belongs to the id.
    """
    names = list(tail)
    for place in (1, 4 if names[2:3] == ["upload"] else 3):
        if len(names) > place and names[place]:
            verb = names[place].rpartition(":")[2]
            names[place] = f"{{id}}:{verb}" if verb in _VERBS and verb != names[place] else "{id}"
    return "/".join(names)


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

EVENT_OF_STATUS = {
    "completed": "interaction.completed",
    "requires_action": "interaction.requires_action",
    "failed": "interaction.failed",
}
"""The event that a webhook gets of a background run, by the status in which it settles; of others none."""

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

    A front end has a number as the code, a status in capitals, and details; a cancel once returned a list of one
    such error. Sentences as codes were seen at blocked output. A proxy on the way writes HTML.
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
