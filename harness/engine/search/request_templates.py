"""Requests as templates: what was sent once can be sent again, to another target and with other ids.

Layer 4. What an earlier response gave is replaced by a placeholder, which is filled in from the responses of the
new run; keys are left out and added again.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.engine.search.failure import Bug, Failure
from harness.engine.search.search_target import SearchTarget
from harness.kit.api import Api
from harness.kit.search import simpler_values
from harness.wire import Exchange, Headers, Request
from harness.wire.given_values import GivenValue, find_given, given_values, replace_given
from harness.wire.json_value import encode_json
from harness.wire.secrets.patterns import is_personal_header, is_secret_header

_LEFT_OUT = frozenset({"authorization", "content-length", "host", "connection", "user-agent",
                       "accept-encoding", "x-schemathesis-testcaseid"})  # fmt: skip


_HOLE = re.compile(r"HARNESS-(\d+)-(\w+)-(\d+)-")


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

    @property
    def text(self) -> str:
        """Everything that may contain a placeholder."""
        return self.target + base64.b64decode(self.body).decode("utf-8", "replace")

    def renumber(self, change: Callable[[int], int]) -> Template:
        """The template with other numbers of answers in its placeholders."""

        def change_hole(match: re.Match[str]) -> str:
            return f"HARNESS-{change(int(match[1]))}-{match[2]}-{match[3]}-"

        return self.edit(lambda text: _HOLE.sub(change_hole, text))

    def edit(self, change: Callable[[str], str]) -> Template:
        """The template with its target, the values of its headers and its body changed as text."""
        body = change(base64.b64decode(self.body).decode("utf-8", "surrogateescape"))
        packed = base64.b64encode(body.encode("utf-8", "surrogateescape")).decode("ascii")
        headers = [(name, change(value)) for name, value in self.headers]
        return replace(self, target=change(self.target), headers=headers, body=packed)


def place_holder(given: GivenValue) -> str:
    """The placeholder for what an earlier answer gave; safe in a URL, in JSON and in a shell."""
    return f"HARNESS-{given.answer}-{given.name}-{given.number}-"


def templates(trail: Sequence[Exchange], api: Api) -> list[Template]:
    """The requests of a trail, with placeholders for what earlier responses gave."""
    given = given_values(trail)
    made = []
    for number, exchange in enumerate(trail):
        request = exchange.request
        for value in given:
            if value.answer < number:
                request = replace_given(request, value.value, place_holder(value))
        kept = [(name, value) for name, value in request.headers.items() if _is_kept(name, value, api)]
        body = base64.b64encode(request.body).decode("ascii")
        made.append(Template(request.method, request.target, kept, body, api.key_header in request.headers))
    return made


def _is_kept(name: str, value: str, api: Api) -> bool:
    """Whether a header is stored; those that hold a secret are sent anew from what the next run is told."""
    return name.lower() not in {*_LEFT_OUT, api.key_header} and not is_personal_header(name, value)


def _is_for_harness(name: str) -> bool:
    """Whether a header is the harness's to send, whatever is stored."""
    return name.lower() in _LEFT_OUT or is_secret_header(name)


def resend(place: SearchTarget, requests: Sequence[Template], engine: str) -> list[Failure]:
    """Send the requests in order; return the first failure of each kind that their answers show."""
    found: dict[str, Bug] = {}
    answers: list[Exchange] = []
    with place.world() as world:
        for template in requests:
            answer, seen = world.resend(_fill_in(template, answers, place))
            answers.append(answer)
            for defect in seen:
                if place.judged(defect):
                    found.setdefault(defect.key, Bug(defect, (), tuple(world.sent)))
            if world.hung:
                break
    return [bug.failure(engine) for bug in found.values()]


def simpler_requests(requests: tuple[Template, ...]) -> Iterator[tuple[Template, ...]]:
    """Smaller lists of requests: each without one of them, or with less in the body of one."""
    for number in range(len(requests)):
        rest = _without(requests, number)
        if rest:
            yield rest
    for number, template in enumerate(requests):
        for body in _simplify_body(base64.b64decode(template.body)):
            smaller = replace(template, body=base64.b64encode(body).decode("ascii"))
            yield (*requests[:number], smaller, *requests[number + 1 :])


def weigh_requests(requests: tuple[Template, ...]) -> tuple[int, ...]:
    """The sort key of a list of requests: fewer first, then smaller bodies."""
    return len(requests), sum(len(template.body) for template in requests)


def _without(requests: tuple[Template, ...], number: int) -> tuple[Template, ...]:
    """The requests without one; none if another one needs what its answer gave."""
    rest = (*requests[:number], *requests[number + 1 :])
    if any(int(match[1]) == number for template in rest for match in _HOLE.finditer(template.text)):
        return ()
    return tuple(template.renumber(lambda answer: answer - (answer > number)) for template in rest)


def _simplify_body(body: bytes) -> Iterator[bytes]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for smaller in simpler_values(value):
        yield encode_json(smaller)


def _fill_in(template: Template, answers: Sequence[Exchange], place: SearchTarget) -> Request:
    """The request of a template, for the answers that came so far; what none of them gives stays as it is."""
    target, key_header = place.requests, place.resolved.api.key_header
    headers = ((str(name), str(value)) for name, value in template.headers)
    # The file may be a stranger's: it adds no key, and no `Host` that another server answers to.
    stored = [(name, value) for name, value in headers if not _is_for_harness(name)]
    own = [(n, v) for n, v in target.headers if is_personal_header(n, v) and n.lower() != key_header]
    sent = Headers([*own, *stored])
    if template.keyed and target.key:
        sent = sent.having(key_header, target.key)
    request = Request(template.method, template.target, sent, base64.b64decode(template.body))
    for match in dict.fromkeys(match.groups() for match in _HOLE.finditer(template.text)):
        answer, name, number = int(match[0]), match[1], int(match[2])
        value = find_given(answers[answer].body, name, number) if answer < len(answers) else None
        if value is not None:
            request = replace_given(request, place_holder(GivenValue(answer, name, number, "")), value)
    return request
