"""Requests as templates: what was sent once can be sent again, to another target and with other ids.

Layer 4. An id from an earlier response is replaced by a placeholder, which is filled in from the responses of the
new run; keys are left out and added again.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.contract import read
from harness.contract.requests import KEY_HEADER
from harness.engine.search.failure import Failure, key_of
from harness.engine.search.playing.answer import judge_exchange
from harness.engine.search.search_target import SearchTarget
from harness.wire import Exchange, Headers, Request
from harness.wire.secret_patterns import is_secret_header

_LEFT_OUT = frozenset({KEY_HEADER, "authorization", "content-length", "host", "connection", "user-agent",
                       "accept-encoding", "x-schemathesis-testcaseid"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """One request. `target` and `body` may contain placeholders; `body` is base64. `keyed`: it had a key."""

    method: str
    target: str
    headers: Sequence[Sequence[str]]
    body: str
    keyed: bool = True

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def place_holder(number: int) -> str:
    """The placeholder for the id from response `number`; safe in a URL, in JSON and in a shell."""
    return f"HARNESS-ID-{number}"


def templates(trail: Sequence[Exchange]) -> list[Template]:
    """The requests of a trail, with placeholders for the ids from earlier responses."""
    ids: list[str] = []
    made = []
    for exchange in trail:
        request = replace_ids(exchange.request, ids)
        kept = [(name, value) for name, value in request.headers.items() if _is_kept(name)]
        body = base64.b64encode(request.body).decode("ascii")
        made.append(Template(request.method, request.target, kept, body, KEY_HEADER in request.headers))
        ids.append(read(exchange).id or "")
    return made


def _is_kept(name: str) -> bool:
    """Whether a header is stored; those that hold a secret are sent anew from what the next run is told."""
    return name.lower() not in _LEFT_OUT and not is_secret_header(name)


def replace_ids(request: Request, ids: Sequence[str]) -> Request:
    """A request with placeholders for the ids from earlier responses."""
    target, body = request.target, request.body
    for number, identity in enumerate(ids):
        if identity:
            target = target.replace(identity, place_holder(number))
            body = body.replace(identity.encode("utf-8", "surrogatepass"), place_holder(number).encode())
    return Request(request.method, target, request.headers, body)


def resend(place: SearchTarget, requests: Sequence[Template], engine: str) -> list[Failure]:
    """Send the requests in order; return the first failure of each kind that a single response shows."""
    found: dict[str, Failure] = {}
    ids: list[str] = []
    with place.world() as world:
        for template in requests:
            exchange = world.send(
                _fill_in(template, ids, place.resolved.target.key, place.resolved.target.headers)
            )
            ids.append(read(exchange).id or "")
            for finding in judge_exchange(exchange, place.resolved.target.key):
                if place.judged(finding):
                    failure = Failure(engine=engine, finding=finding, trail=tuple(world.trail))
                    found.setdefault(key_of(finding), failure)
    return list(found.values())


def _fill_in(template: Template, ids: Sequence[str], key: str, own: Sequence[tuple[str, str]] = ()) -> Request:
    target, body = template.target, base64.b64decode(template.body)
    for number in reversed(range(len(ids))):
        target = target.replace(place_holder(number), ids[number])
        body = body.replace(place_holder(number).encode(), ids[number].encode("utf-8", "surrogatepass"))
    stored = [(str(name), str(value)) for name, value in template.headers if not is_secret_header(str(name))]
    headers = Headers([*((n, v) for n, v in own if is_secret_header(n) and n.lower() != KEY_HEADER), *stored])
    return Request(
        template.method, target, headers.having(KEY_HEADER, key) if template.keyed and key else headers, body
    )
