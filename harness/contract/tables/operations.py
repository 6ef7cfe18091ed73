"""The operations of the API: which schema a successful JSON body must fit, and the rule that says so.

Layer 1, a table. An operation is recognised by its method and the end of its path, whatever version or project
comes before it. Must not know what a response means.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.wire import Request

INTERACTION = "interaction"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API. A JSON response must fit `schema`; one that does not breaks `rule`.

    Both are `""` if a success contains nothing to judge, such as the `{}` of a delete.
    """

    call: str
    schema: str = ""
    rule: str = ""


_UPLOAD_TO_STORE = "fileSearchStores/{id}:uploadToFileSearchStore"

OPERATIONS = (
    Operation("POST interactions", INTERACTION, "create.schema"),
    Operation("GET interactions/{id}", INTERACTION, "get.schema"),
    Operation("POST interactions/{id}/cancel", INTERACTION, "cancel.schema"),
    Operation("DELETE interactions/{id}"),
    Operation("POST agents", "agents/agent", "agents.schema"),
    Operation("GET agents", "agents/list", "agents.schema"),
    Operation("GET agents/{id}", "agents/agent", "agents.schema"),
    Operation("PATCH agents/{id}", "agents/agent", "agents.schema"),
    Operation("DELETE agents/{id}"),
    Operation("POST environments", "environments/environment", "env.schema"),
    Operation("GET environments", "environments/list", "env.schema"),
    Operation("GET environments/{id}", "environments/environment", "env.schema"),
    Operation("DELETE environments/{id}"),
    Operation("GET environments/{id}/files", "environments/files", "env.schema"),
    Operation("POST webhooks", "webhooks/webhook", "hook.schema"),
    Operation("GET webhooks", "webhooks/list", "hook.schema"),
    Operation("GET webhooks/{id}", "webhooks/webhook", "hook.schema"),
    Operation("PATCH webhooks/{id}", "webhooks/webhook", "hook.schema"),
    Operation("DELETE webhooks/{id}"),
    Operation("POST webhooks/{id}:ping"),
    Operation("POST webhooks/{id}:rotateSigningSecret", "webhooks/secret", "hook.schema"),
    Operation("POST credentials", "credentials/credential", "cred.schema"),
    Operation("GET credentials", "credentials/list", "cred.schema"),
    Operation("GET credentials/{id}", "credentials/credential", "cred.schema"),
    Operation("PATCH credentials/{id}", "credentials/credential", "cred.schema"),
    Operation("DELETE credentials/{id}"),
    Operation("POST triggers", "triggers/trigger", "trigger.schema"),
    Operation("GET triggers", "triggers/list", "trigger.schema"),
    Operation("GET triggers/{id}", "triggers/trigger", "trigger.schema"),
    Operation("PATCH triggers/{id}", "triggers/trigger", "trigger.schema"),
    Operation("DELETE triggers/{id}"),
    Operation("POST triggers/{id}/executions", "triggers/execution", "trigger.schema"),
    Operation("GET triggers/{id}/executions", "triggers/executions", "trigger.schema"),
    Operation("POST files", "files/uploaded", "file.schema"),
    Operation("GET files", "files/list", "file.schema"),
    Operation("GET files/{id}", "files/file", "file.schema"),
    Operation("DELETE files/{id}"),
    Operation("POST fileSearchStores", "file-search-stores/store", "filesearch.schema"),
    Operation("GET fileSearchStores", "file-search-stores/list", "filesearch.schema"),
    Operation("GET fileSearchStores/{id}", "file-search-stores/store", "filesearch.schema"),
    Operation("DELETE fileSearchStores/{id}"),
    Operation("POST fileSearchStores/{id}:importFile", "file-search-stores/operation", "filesearch.schema"),
    Operation(f"POST {_UPLOAD_TO_STORE}", "file-search-stores/operation", "filesearch.schema"),
    Operation("GET fileSearchStores/{id}/operations/{id}", "file-search-stores/operation", "filesearch.schema"),
    Operation(
        "GET fileSearchStores/{id}/upload/operations/{id}", "file-search-stores/operation", "filesearch.schema"
    ),
    Operation("GET fileSearchStores/{id}/documents", "file-search-stores/documents", "filesearch.schema"),
    Operation("GET fileSearchStores/{id}/documents/{id}", "file-search-stores/document", "filesearch.schema"),
    Operation("DELETE fileSearchStores/{id}/documents/{id}"),
    Operation("POST voices", "voices/voice", "voice.schema"),
    Operation("GET voices", "voices/list", "voice.schema"),
    Operation("GET voices/{id}", "voices/voice", "voice.schema"),
    Operation("DELETE voices/{id}"),
    Operation("POST decisions", "decisions/decision", "decision.schema"),
)
_BY_CALL = {operation.call: operation for operation in OPERATIONS}
_NUMERIC = frozenset({"files", "files:register", "fileSearchStores"})
_COLLECTIONS = frozenset(call.split(" ")[1].partition("/")[0] for call in _BY_CALL)


def operation_of(request: Request) -> Operation | None:
    """The operation that a request calls; None for anything else, for a download, and for a part of an upload."""
    command = request.headers.get("x-goog-upload-command").lower()
    if request.parameter("alt") == "media" or (command and "finalize" not in command):
        return None
    segments = request.segments
    for start, segment in enumerate(segments):
        if segment == "files" and "environments" in segments[:start]:
            return None  # a path inside an environment
        if segment in _COLLECTIONS and (found := _BY_CALL.get(f"{request.method} {_template(segments[start:])}")):
            return found
    return None


def has_numeric_errors(request: Request) -> bool:
    """Whether refusals have a numeric code and a `status`, as recorded for files and file search stores."""
    return "environments" not in request.segments and not _NUMERIC.isdisjoint(request.segments)


def _template(tail: tuple[str, ...]) -> str:
    """`webhooks/w1:ping` as `webhooks/{id}:ping`, also two levels down; an empty id does not count as one."""
    names = list(tail)
    for place in (1, 4 if names[2:3] == ["upload"] else 3):
        if len(names) > place and names[place]:
            _, colon, verb = names[place].partition(":")
            names[place] = "{id}" + colon + verb
    return "/".join(names)
