"""Builds an exercise's requests to the target; never sends them.

Layer 1. Knows the API's paths and where a key goes; must not know where the target is.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Container, Iterable, Mapping
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


_KNOWN = 2
"""Runs that were waited for in vain until it is known that no run settles."""

_PART, _LEAST = 8, 2.0
"""After a wait in vain: the part of the time that the next one gets, and the least seconds."""


DEFAULT_WAIT = 60.0
_LONGEST, _TIMES = 12.0, 40
"""The least seconds that a run gets if the user says nothing, and in how many times what a plain create took."""


@dataclass(slots=True)
class WaitingTime:
    """How long to wait for an event that may never come: the whole time until once in vain, then a part of it.

    `in_vain` counts the vain waits; the `watchers` are called once it is known that no run settles. `longest` is
    the time of a run of a few words at a target that responds fast: where a create takes a moment, such a run that
    lasts a minute has stopped. A long text may take its time.
    """

    in_vain: int = 0
    longest: float = math.inf
    watchers: list[Callable[[float, str], None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note_in_vain(self, allowed: float) -> None:
        """A run did not settle. Once two did not, what waits for another one has little time left."""
        with self._lock:
            self.in_vain += 1
            known = self.in_vain == _KNOWN
        for hurry in self.watchers if known else ():
            hurry(self.of(allowed), f"two background runs had not settled, one after {self.whole(allowed):.3g} s")

    def learn(self, create_seconds: float, allowed: float) -> None:
        """Take the pace of the target from the response to a create; the limit of the user stays."""
        if allowed == DEFAULT_WAIT:
            self.longest = max(_LONGEST, _TIMES * create_seconds)

    def whole(self, allowed: float) -> float:
        """The seconds that a run of a few words gets, of those that are allowed."""
        return min(allowed, self.longest)

    def of(self, allowed: float) -> float:
        """The seconds that a wait gets now, for any run."""
        whole = self.whole(allowed)
        return max(whole / _PART, min(whole, _LEAST)) if self.in_vain else allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBuilder:
    """The known properties of the target, and the requests that follow from them.

    `version` is a path segment (`v1beta`), in the form of Vertex with project and location below it. `wait` are
    the seconds a background run may take to settle, `waiting` how many of them the next one gets. `gone_within`
    is the number of seconds until a created interaction must be readable and a deleted one gone; a 404 that lasts
    longer is final. `keeps` is False if the target is known to store nothing that a GET could find, so that no
    exercise waits for it. `environment` is the environment for agents to run in, None if the target has none.
    `capabilities` are the `checks.CAPABILITIES` it is known to have; an exercise may use `script` to hold its
    runs, but must work without it. `says` contains fields that this target needs
    in every create: for example `stream: false` for a target that streams by default. `contract` is
    what the target is judged by.
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
        plain = [(name, _to_plain(value)) for name, value in pairs]
        text = urlencode(plain, errors="surrogatepass") if plain else ""
        below = self.version.partition("/")[2] if version and "/" not in version else ""
        root = "/".join(filter(None, (version or self.version, below)))
        target = f"/{root}/{path}" + (f"?{text}" if text else "")
        payload = b"" if body is None else body if isinstance(body, bytes) else encode_json(body)
        return Request(
            method, target, self._build_headers(payload, headers, self.key if key is None else key), payload
        )

    def _build_headers(self, payload: bytes, extra: Iterable[tuple[str, str]], key: str) -> Headers:
        fields = _build_fields(tuple(self.headers), bool(payload), key)
        for name, value in extra:
            fields = fields.having(name, value)
        return fields

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


def _to_plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
