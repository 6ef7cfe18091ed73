"""Builds an exercise's requests to the target; never sends them.

Knows the API's paths and where a key goes; must not know where the target is.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from harness.contract.contract import CURRENT, Contract, load
from harness.wire import Headers, Request
from harness.wire.json_value import encode_json
from harness.wire.message import segment

KEY_HEADER = "x-goog-api-key"
TIER_HEADER = "x-gemini-service-tier"
"""The header of a response that names the tier which served it."""


def caller_of(request: Request) -> tuple[str, str]:
    """The key of a request, and its version of the API: another key may see other values."""
    return request.headers.get(KEY_HEADER), request.segments[0]


DEFAULT_WAIT = 60.0

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
    `capabilities` are the `checks.CAPABILITIES` it has; those whose probe got no response are only `assumed`. An
    exercise may use `script` to hold its runs, but must work without it. `says` contains fields that this target
    needs in every create: for example `stream: false` for a target that streams by default. `contract` is what the
    target is judged by.
    """

    version: str = "v1beta"
    model: str = "gemini-3.8-flash"
    agent: str = "antigravity-preview-09-2026"
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
        """The same target, which needs these fields in every create."""
        return replace(self, says=says)

    def with_capabilities(
        self, present: frozenset[str], known: Container[str], says: Mapping[str, Any]
    ) -> RequestBuilder:
        """The same target, with what a probe found: the capabilities it has, and those whose state is `known`."""
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
        for name, value in headers:
            fields = fields.having(name, value)
        return Request(method, target, fields, payload)

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
        """DELETE one interaction."""
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
