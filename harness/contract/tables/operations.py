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


OPERATIONS = (
    Operation("POST interactions", INTERACTION, "create.schema"),
    Operation("GET interactions/{id}", INTERACTION, "get.schema"),
    Operation("POST interactions/{id}/cancel", INTERACTION, "cancel.schema"),
    Operation("DELETE interactions/{id}"),
    Operation("POST agents", "agents/agent", "agents.schema"),
    Operation("GET agents", "agents/list", "agents.schema"),
    Operation("GET agents/{id}", "agents/agent", "agents.schema"),
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
)
_BY_CALL = {operation.call: operation for operation in OPERATIONS}
_COLLECTIONS = frozenset(call.split(" ")[1].partition("/")[0] for call in _BY_CALL)


def operation_of(request: Request) -> Operation | None:
    """The operation that a request calls; None for a request to anything else, and for a download of bytes."""
    if request.parameter("alt") == "media":
        return None
    segments = request.segments
    for start, segment in enumerate(segments):
        if segment in _COLLECTIONS and (found := _BY_CALL.get(f"{request.method} {_template(segments[start:])}")):
            return found
    return None


def _template(tail: tuple[str, ...]) -> str:
    """`webhooks/w1:ping` as `webhooks/{id}:ping`; an empty id does not count as one."""
    if len(tail) < 2 or not tail[1]:
        return "/".join(tail)
    _, colon, verb = tail[1].partition(":")
    return "/".join((tail[0], "{id}" + colon + verb, *tail[2:]))
