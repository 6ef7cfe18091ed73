"""The operations of the API: which schema a successful JSON body must fit, and the rule about that.

A table. An operation is recognized by its method and the end of its path, after any version or project. Must not
know the meaning of a response.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from harness.wire import Request

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
