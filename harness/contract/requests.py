"""Builds an exercise's requests to the target, and reads the facts that requests and responses show about a run.

Sends nothing. Knows the API's paths and where a key goes; must not know where the target is, or what is right or
wrong. The facts are for callers that follow traffic from outside, and no odd input raises. Also builds the
requests that delete what an exchange created.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

from harness.contract.contract import CURRENT, Contract, load
from harness.contract.judge.reading import read
from harness.contract.tables.protocol import (
    COLLECTION,
    CREATE,
    OPERATIONS,
    PROTOCOL,
    ROOTS,
    interaction_id,
    operation_of,
)
from harness.wire import Decoder, Exchange, Headers, Request
from harness.wire.bodies import as_object, encode_json, object_or_none, objects_in
from harness.wire.message import segment

KEY_HEADER = "x-goog-api-key"
TIER_HEADER = "x-gemini-service-tier"
"""The header of a response that names the tier which served it."""


def caller_of(request: Request) -> tuple[str, str]:
    """The key of a request, and its version of the API: another key may see other values."""
    return request.headers.get(KEY_HEADER), request.segments[0]


DEFAULT_WAIT = 60.0
MODEL, AGENT = "gemini-3.8-flash", "antigravity-preview-09-2026"

_PART = 8
"""After a run did not settle in time: the part of the time that the next one gets, as it may not settle either."""


@dataclass(slots=True)
class WaitingTime:
    """How long to wait for a run to settle: the whole time, and a part of it once that was `in_vain`."""

    in_vain: bool = False

    def of(self, allowed: float) -> float:
        """The seconds that a wait gets now, of those that are allowed."""
        return allowed / _PART if self.in_vain else allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBuilder:
    """The known properties of the target, and the requests that follow from them.

    `version` is a path segment (`v1beta`), in the form of Vertex with project and location below it. `wait` are
    the seconds a background run may take to settle, `waiting` how many of them the next one gets. `gone_within`
    is the number of seconds until a created interaction must be readable and a deleted one gone; a 404 that lasts
    longer is final. `keeps` is False if the target is known to store nothing that a GET could find, so that no
    exercise waits for it. `environment` is the environment for agents to run in, None if the target has none.
    `capabilities` are those of `checks.capabilities` that it has; where a probe got no response they are only
    `assumed`. An exercise may use `script` to hold its runs, but must work without it. `says` are fields of every
    create, such as `stream: false` for a target that streams by default. `contract` judges the target.
    """

    version: str = "v1beta"
    model: str = MODEL
    agent: str = AGENT
    key: str = ""
    other_key: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    wait: float = DEFAULT_WAIT
    waiting: WaitingTime = field(default_factory=WaitingTime, compare=False)
    gone_within: float = 5.0
    keeps: bool = True
    capabilities: frozenset[str] = frozenset()
    assumed: frozenset[str] = frozenset()
    environment: str | None = "remote"
    says: Mapping[str, Any] = field(default_factory=dict, hash=False)
    contract: Contract = field(default_factory=lambda: load(CURRENT), hash=False)

    def with_says(self, says: Mapping[str, Any]) -> RequestBuilder:
        return replace(self, says=says)

    def with_capabilities(
        self, present: frozenset[str], known: Container[str], says: Mapping[str, Any]
    ) -> RequestBuilder:
        return replace(
            self,
            capabilities=present,
            assumed=frozenset(name for name in present if name not in known),
            keeps="store" in present or "store" not in known,
            environment=self.environment if "environments" in present else None,
            says=says,
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | Iterable[tuple[str, str]] = (),
        headers: Iterable[tuple[str, str]] = (),
        key: str | None = None,
        version: str | None = None,
    ) -> Request:
        """Build a request below the API version. `path` has no leading slash and is already percent-encoded.

        `body` is sent as JSON unless it is bytes or None; `key=""` sends no key. Another `version` keeps the
        project and the location of the target's own.
        """
        pairs = dict(query).items() if isinstance(query, Mapping) else query
        plain = [(name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in pairs]
        text = urlencode(plain, errors="surrogatepass") if plain else ""
        below = self.version.partition("/")[2] if version and "/" not in version else ""
        root = "/".join(filter(None, (version or self.version, below)))
        target = f"/{root}/{path}" + (f"?{text}" if text else "")
        payload = b"" if body is None else body if isinstance(body, bytes) else encode_json(body)
        fields = _build_fields(tuple(self.headers), bool(payload), self.key if key is None else key)
        return Request(method, target, fields, payload).having(*headers)

    def create(self, body: Mapping[str, Any] | None = None, **fields: Any) -> Request:
        """POST interactions with the target's model unless `model` or `agent` is among the fields.

        A field given as None is left out: `create(model=None)` sends neither, and `create(stream=None)` sends no
        `stream` field even if `says` has one.
        """
        whole = {**self.says, **(body or {}), **fields}
        if "model" not in whole and "agent" not in whole:
            whole["model"] = self.model
        return self.request("POST", "interactions", {k: v for k, v in whole.items() if v is not None})

    def get(self, interaction_id: str, **query: Any) -> Request:
        """GET one interaction; `stream=True, last_event_id=…` requests events."""
        return self.request("GET", f"interactions/{segment(interaction_id)}", query=query)

    def cancel(self, interaction_id: str) -> Request:
        """POST …/cancel with no body."""
        return self.request("POST", f"interactions/{segment(interaction_id)}/cancel")

    def delete(self, interaction_id: str) -> Request:
        return self.request("DELETE", f"interactions/{segment(interaction_id)}")

    def control(self, method: str, path: str, body: Any = None) -> Request:
        """A request to the harness's own control API (`docs/control.md`), which only scriptable targets have."""
        payload = b"" if body is None else encode_json(body)
        fields = (("content-type", "application/json"),) if payload else ()
        return Request(method, f"/__harness__/{path}", Headers((*self.headers, *fields)), payload)


@lru_cache(64)  # most requests of a run have the same, and their index is made once
def _build_fields(own: tuple[tuple[str, str], ...], has_payload: bool, key: str) -> Headers:
    fields = Headers(own)
    if has_payload and "content-type" not in fields:
        fields = fields.having("content-type", "application/json")
    return fields.having(KEY_HEADER, key) if key else fields


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


def new_naming_request(exchange: Exchange) -> Request | None:
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
