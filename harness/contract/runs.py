"""Facts that requests, responses and events show about a run, for callers that follow traffic from outside.

Pure; never raises on odd input. Must not know what is right or wrong. Also the requests that delete what an
exchange created, and how the plain runs of a target ended (`RunEnds`): a target whose runs never complete has
shown nothing of its output.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from harness.contract.contract import Contract
from harness.contract.data.json_parse import as_object, objects_in
from harness.contract.judge.reading import Reading, read
from harness.contract.tables.lifecycle import is_settled
from harness.contract.tables.protocol import (
    COLLECTION,
    CREATE,
    OPERATIONS,
    PROTOCOL,
    ROOTS,
    interaction_id,
    operation_of,
)
from harness.outcome.words import format_count
from harness.wire import Decoder, Exchange, Headers, Request
from harness.wire.json_value import object_or_none
from harness.wire.message import segment


class CreateSummary(NamedTuple):
    """The request of a create: its parent's id (`""`: none), whether it is in the background, its words."""

    parent: str
    background: bool
    words: str


def summarise_create(request: Request) -> CreateSummary | None:
    """The summary of a request that creates an interaction; None for any other request."""
    operation = operation_of(request) if request.method == "POST" else None
    if operation is None or operation.call != CREATE:
        return None
    body = object_or_none(request.body)
    if body is None:
        return None
    parent, given = body.get("previous_interaction_id"), body.get("input")
    words = _text_in(given)
    if words is None:  # what kind of input it is
        kinds = [part.get("type") for part in objects_in(given)]
        words = ", ".join(dict.fromkeys(str(kind).replace("_", " ") for kind in kinds if kind))
    elif len(words) > 80:
        words = f"{words[:80]}…"
    return CreateSummary(parent if isinstance(parent, str) else "", body.get("background") is True, words)


def read_new_id(exchange: Exchange) -> str:
    """The id in the response to a create; `""` if nothing new is stored, or if it is no create."""
    return read(exchange).new_id


def named_interaction(request: Request) -> str:
    """The id of the interaction that a request is about; `""` if its path names none."""
    segments = request.segments
    if COLLECTION not in segments:
        return ""
    rest = segments[segments.index(COLLECTION) + 1 :]
    return rest[0] if rest else ""


def status_of(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """(id, status) that an answer or an event gives; None if it gives no status. The id may be `""`."""
    inner = value.get("interaction")
    holder: Mapping[str, Any] = inner if isinstance(inner, Mapping) else value
    status = holder.get("status")
    if not isinstance(status, str) or not status:
        return None
    own = holder.get("id")
    return (own if isinstance(own, str) else "") or interaction_id(value) or "", status


def _text_in(value: Any, depth: int = 8) -> str | None:
    """The last text in an input, as deep as inputs go; None if there is none."""
    if isinstance(value, str):
        return value
    if not depth:
        return None
    if isinstance(value, dict):
        inner = value.get("text")
        return inner if isinstance(inner, str) else _text_in(value.get("content"), depth - 1)
    if isinstance(value, list):
        return next((text for item in reversed(value) if (text := _text_in(item, depth - 1))), None)
    return None


def script_for(exchange: Exchange, contract: Contract) -> dict[str, Any] | None:
    """The script with which a reference service answers as this exchange did; None if there is no output in it."""
    reading = read(exchange, contract)
    if exchange.status is not None and exchange.status >= 400:
        code, message = reading.error or (None, None)
        refusal = {"status": exchange.status, "code": code, "message": message}
        return {"refuse": {name: value for name, value in refusal.items() if value}}
    if reading.is_resumed:
        return None
    steps = reading.streamed_steps if exchange.is_stream else (object_or_none(exchange.body) or {}).get("steps")
    # a GET also returns what was given
    made = [step for step in objects_in(steps) if step.get("type") not in ("user_input", "function_result")]
    match [step.get("content") for step in made if step.get("type") != "thought"]:
        case [[{"type": _, "text": text, **more}]] if not more:  # nothing but one text
            return {"text": str(text)}
    return {"steps": made} if made else None


_CALLS = frozenset(operation.call for operation in OPERATIONS)
_FORCED = frozenset({"fileSearchStores"})
"""Resources that are deleted with what they hold only on demand."""


def list_deletes(exchange: Exchange) -> Sequence[Request]:
    """List the requests that delete what an exchange created; what depends on others comes last."""
    known = cast("Sequence[Request] | None", exchange.notes.get(__name__))
    if known is None:
        known = exchange.notes[__name__] = tuple(_find_deletes(exchange))
    return known


def _find_deletes(exchange: Exchange) -> Iterator[Request]:
    method, _, path = read(exchange).call.partition(" ")
    if method != "POST" or not exchange.succeeded:
        return
    answer = _read_stream(exchange) if exchange.is_stream else object_or_none(exchange.body) or {}
    if path == "triggers/{id}/executions":
        yield from _build_delete(exchange, "environments", answer.get("environment_id"))
        yield from _build_delete(exchange, "interactions", answer.get("interaction_id"))
    elif f"DELETE {path}/{{id}}" in _CALLS:
        if path == "interactions" and _makes_environment(exchange.request):
            yield from _build_delete(exchange, "environments", answer.get("environment_id"))
        made = as_object(answer.get("file") if path == "files" else answer)
        identity, name = made.get("id"), made.get("name")
        if not (isinstance(identity, str) and identity) and isinstance(name, str) and "/" in name:
            # the last segment of a name such as `files/f1`; of an operation, what it works on
            identity = name.partition("/operations/")[0].rpartition("/")[2]
        yield from _build_delete(exchange, path, identity)


def new_look_request(exchange: Exchange) -> Request | None:
    """The GET that names the sandbox of a run whose create did not: a stream that was cut, or one on Vertex."""
    if read(exchange).call != CREATE or not _makes_environment(exchange.request):
        return None
    deletes = list_deletes(exchange)
    if len(deletes) != 1:
        return None
    return Request("GET", deletes[0].target, deletes[0].headers)


def _build_delete(exchange: Exchange, collection: str, identity: object) -> Iterator[Request]:
    if not isinstance(identity, str) or not identity:
        return
    request = exchange.request
    start = next(at for at, part in enumerate(request.segments) if part in ROOTS)
    above = [part for part in request.segments[:start] if part != "upload"]
    target = "/" + "/".join(map(segment, (*above, collection, identity)))
    fields = request.headers.without("content-type", "content-length")
    kept = Headers((name, value) for name, value in fields if not name.lower().startswith("x-goog-upload-"))
    yield Request("DELETE", target + ("?force=true" if collection in _FORCED else ""), kept)


def _makes_environment(request: Request) -> bool:
    """Whether a create asks for a new sandbox, and names none that is there."""
    wanted = (object_or_none(request.body) or {}).get("environment")
    return wanted == "remote" or (isinstance(wanted, Mapping) and not wanted.get("environment_id"))


def _read_stream(exchange: Exchange) -> dict[str, Any]:
    """The ids that the first events of a stream name."""
    found: dict[str, Any] = {}
    # Number of bytes of a stream searched for ids, which are in the first events.
    for frame in Decoder().feed(exchange.body[:65_536]):
        event = object_or_none(frame.data) or {}
        inner = event.get("interaction")
        if isinstance(inner, Mapping) and "environment_id" in inner:
            found["environment_id"] = inner["environment_id"]
        if (identity := PROTOCOL.stream_id(event)) is not None:
            found.setdefault("id", identity)
    return found


_FAILED, _CANCELLED = "failed", "cancelled"
_NOT_PLAIN = frozenset({"agent", "tools", "previous_interaction_id", "continuation_token"})
"""Fields of creates that may fail for reasons of their own."""

LOOKS = 8
"""Looks after which one has waited for the end of a run: they come less and less often."""


class RunEnds:
    """The last words of the runs of a target, by kind of create; several threads may share one."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._looks: Counter[str] = Counter()
        self._cancelled: set[str] = set()
        self._lock = threading.Lock()

    def note(self, exchange: Exchange) -> None:
        """Note the end of a run, if the response shows one."""
        if not exchange.succeeded:
            return
        reading = read(exchange)
        with self._lock:
            kind = _name_kind(exchange)
            identity = reading.id or (f"#{len(self._kinds)}" if kind else "")
            if kind:
                self._kinds[identity] = kind
            if identity not in self._kinds:
                return
            if end := _find_end(reading):
                self._seen[identity].add(end)
            elif reading.status == _CANCELLED:
                self._cancelled.add(identity)
            elif not kind:
                self._looks[identity] += 1

    def describe(self) -> Iterator[str]:
        """For each kind of create of which runs ended, and none other than as failed: that, and what to do."""
        ends: dict[str, list[set[str]]] = defaultdict(list)
        for identity, seen in self._seen.items():
            ends[self._kinds[identity]].append(seen)
        # runs that were polled often enough to have waited for their end
        waited = (one for one, looks in self._looks.items() if looks >= LOOKS and one not in self._cancelled)
        for kind, number in Counter(self._kinds[one] for one in waited).items():
            if kind not in ends:
                had = format_count(number, "run was", "runs were")
                yield (
                    f"no {kind} run completed: {had} looked at {LOOKS} times and more, and went on each time; "
                    "give it more time (--timeout), or find out why it never settles"
                )
        failed = {kind: len(seen) for kind, seen in ends.items() if all(one == {_FAILED} for one in seen)}
        if failed and failed.keys() == ends.keys():
            failed = {"": sum(failed.values())}
        for kind, number in failed.items():
            runs = format_count(number, "run")
            yield (
                f"no {kind and f'{kind} '}run completed: {runs} ended as {_FAILED!r}, and no other; "
                "check the model and its quota, or name another model (--model)"
            )


def _name_kind(exchange: Exchange) -> str:
    """The kind of a plain create; `""` if it is none."""
    if read(exchange).call != CREATE:
        return ""
    body = object_or_none(exchange.request.body) or {}
    if not isinstance(body.get("input"), str) or _NOT_PLAIN & body.keys():
        return ""
    if body.get("background") is True:
        return "background"
    return "streamed" if body.get("stream") is True else "plain"


def _find_end(reading: Reading) -> str:
    """The status that a run ended with by itself, not by us; a stream that ends in an error has failed."""
    if reading.status == _CANCELLED:
        return ""
    if is_settled(reading.status):
        return str(reading.status)
    return _FAILED if any(event.get("event_type") == "error" for event in reading.events) else ""
