"""What an exchange created at the service, as the requests that delete it again.

Layer 1. A run of an agent may make a sandbox, too; one that the request names belongs to somebody else. Must not
know when anything is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.contract.tables.operations import OPERATIONS, operation_of
from harness.contract.tables.protocol import PROTOCOL
from harness.wire import Decoder, Exchange, Headers, Request
from harness.wire.json_value import object_or_none
from harness.wire.message import segment

Json = Mapping[str, Any]

_CALLS = frozenset(operation.call for operation in OPERATIONS)
_ROOTS = frozenset(call.partition(" ")[2].partition("/")[0] for call in _CALLS)
_HEAD = 65_536
"""Number of bytes of a stream searched for ids, which are in the first events."""
_FORCED = frozenset({"fileSearchStores"})
"""Resources that are deleted with what they hold only on demand."""


def list_deletes(exchange: Exchange) -> Iterator[Request]:
    """Yield the requests that delete what an exchange created; what depends on others comes last."""
    operation = operation_of(exchange.request) if exchange.succeeded else None
    method, _, path = operation.call.partition(" ") if operation is not None else ("", "", "")
    if method != "POST":
        return
    answer = _read_stream(exchange) if exchange.is_stream else object_or_none(exchange.body) or {}
    if path == "triggers/{id}/executions":
        yield from _build_delete(exchange, "environments", answer.get("environment_id"))
        yield from _build_delete(exchange, "interactions", answer.get("interaction_id"))
    elif f"DELETE {path}/{{id}}" in _CALLS:
        if path == "interactions" and _makes_environment(exchange.request):
            yield from _build_delete(exchange, "environments", answer.get("environment_id"))
        made = answer.get("file") if path == "files" else answer
        yield from _build_delete(exchange, path, _id_of(made) if isinstance(made, Mapping) else None)


def new_look_request(exchange: Exchange) -> Request | None:
    """The GET that names the sandbox of a run whose create did not: a stream that was cut, or one on Vertex."""
    operation = operation_of(exchange.request) if exchange.succeeded else None
    if operation is None or operation.call != "POST interactions" or not _makes_environment(exchange.request):
        return None
    deletes = list(list_deletes(exchange))
    if len(deletes) != 1:
        return None
    return Request("GET", deletes[0].target, deletes[0].headers)


def _build_delete(exchange: Exchange, collection: str, identity: object) -> Iterator[Request]:
    if not isinstance(identity, str) or not identity:
        return
    request = exchange.request
    start = next(at for at, part in enumerate(request.segments) if part in _ROOTS)
    above = [part for part in request.segments[:start] if part != "upload"]
    target = "/" + "/".join(map(segment, (*above, collection, identity)))
    fields = request.headers.without("content-type", "content-length")
    kept = Headers((name, value) for name, value in fields if not name.lower().startswith("x-goog-upload-"))
    yield Request("DELETE", target + ("?force=true" if collection in _FORCED else ""), kept)


def _id_of(made: Json) -> str:
    """`id`, or the last segment of a `name` such as `files/f1`; of an operation, what it works on."""
    if isinstance(made.get("id"), str) and made["id"]:
        return str(made["id"])
    name = made.get("name")
    return name.partition("/operations/")[0].rpartition("/")[2] if isinstance(name, str) and "/" in name else ""


def _makes_environment(request: Request) -> bool:
    """Whether a create asks for a new sandbox, and names none that is there."""
    wanted = (object_or_none(request.body) or {}).get("environment")
    return wanted == "remote" or (isinstance(wanted, Mapping) and not wanted.get("environment_id"))


def _read_stream(exchange: Exchange) -> dict[str, Any]:
    """The ids that the first events of a stream name."""
    found: dict[str, Any] = {}
    for frame in Decoder().feed(exchange.body[:_HEAD]):
        event = object_or_none(frame.data) or {}
        inner = event.get("interaction")
        if isinstance(inner, Mapping) and "environment_id" in inner:
            found["environment_id"] = inner["environment_id"]
        if (identity := PROTOCOL.stream_id(event)) is not None:
            found.setdefault("id", identity)
    return found
