"""Shrinks a failing history: removes steps and fields, and rewrites the remaining ones, until none can go.

Layer 4. Every candidate runs; it is kept only if it shows the same defect. The result runs once more before it is
reported. If the target does not fail again, the failure is kept as it was first seen.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar, cast
from urllib.parse import unquote

from harness.engine.results import Replays
from harness.engine.search.failure import ANSWERED, Bug, Failure
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.targets import VERSION_PATTERN
from harness.engine.traffic.deadline import TimeUp
from harness.engine.traffic.patience import Pace
from harness.kit.api import Api
from harness.kit.search import simpler_values
from harness.wire import Exchange, Headers, Request
from harness.wire.json_value import GivenValue, encode_json, find_given, given_values, replace_given
from harness.wire.message import TOKEN, is_sendable
from harness.wire.secrets import is_personal_header, is_secret_header

# Requests as templates: what was sent once can be sent again, to another target and with other ids.
# What an earlier response gave is replaced by a placeholder, which is filled in from the responses of the new
# run; keys are left out and added again.


_LEFT_OUT = frozenset({"authorization", "content-length", "host", "connection", "user-agent",
                       "accept-encoding", "x-schemathesis-testcaseid"})  # fmt: skip


_OF_HTTP = frozenset({"accept", "content-encoding", "content-type"})

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


def read_template(record: dict[str, Any], api: Api) -> Template:
    """The template in a stored failure. Raises ValueError if it cannot be sent.

    A repository may contain the file, and its requests are sent with the key of the user. Only headers of the API
    are: gateways let others choose the server that gets request and key (`x-portkey-custom-host`), its path
    (`X-Original-URL`) or its method, each by names of its own.
    """
    template = Template(**record)
    if TOKEN.fullmatch(template.method) is None or not all(is_sendable(*field) for field in template.headers):
        raise ValueError("its method or a header cannot be sent")
    taken = _OF_HTTP | api.own_headers
    return replace(template, headers=[field for field in template.headers if field[0].lower() in taken])


def _is_of_api(target: str, api: Api, version: str) -> bool:
    """Whether a path is below a resource of the API, also if a server decodes it and resolves its steps.

    Other services of this machine, or of a gateway, may be at other paths.
    """
    path = target.partition("?")[0]
    if not (target.isprintable() and path.startswith("/")):
        return False
    segments = [segment for segment in unquote(path).split("/") if segment]
    if segments[:1] == ["upload"]:
        del segments[0]
    usual = re.match(rf"{VERSION_PATTERN}(?:/{api.scope})?/", "/".join(segments), re.ASCII)
    for root in (version.split("/"), usual[0].split("/")[:-1] if usual else []):
        named = segments[len(root) :]
        if segments[: len(root)] == root and named and named[0].partition(":")[0] in api.load_roots():
            depth = 0
            for segment in (*root, *named):
                depth += {"..": -1, ".": 0}.get(segment, 1)
                if segment == ".." and depth <= len(root):
                    return False
            return True
    return False


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
        # A header with a secret is not stored: it is sent with the secret of the next run.
        kept = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in {*_LEFT_OUT, api.key_header} and not is_personal_header(name, value)
        ]
        body = base64.b64encode(request.body).decode("ascii")
        made.append(Template(request.method, request.target, kept, body, api.key_header in request.headers))
    return made


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
        try:
            value = json.loads(base64.b64decode(template.body))
        except (ValueError, RecursionError):
            continue
        for simpler in map(encode_json, simpler_values(value)):
            smaller = replace(template, body=base64.b64encode(simpler).decode("ascii"))
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


def _fill_in(template: Template, answers: Sequence[Exchange], place: SearchTarget) -> Request:
    """The request of a template, for the answers that came so far; what none of them gives stays as it is.

    Raises ValueError if it is none of the API: the file may be a stranger's, and a response may repeat its text.
    """
    target, key_header = place.requests, place.resolved.api.key_header
    headers = ((str(name), str(value)) for name, value in template.headers)
    # The file may be a stranger's: it adds no key, and no `Host` that another server answers to.
    stored = [(n, value) for n, value in headers if n.lower() not in _LEFT_OUT and not is_secret_header(n)]
    names = {name.lower() for name, _ in stored} | {key_header}
    own = [
        (name, value)
        for name, value in target.headers
        if name.lower() not in names or (is_personal_header(name, value) and name.lower() != key_header)
    ]
    sent = Headers([*own, *stored])
    if template.keyed and target.key:
        sent = sent.having(key_header, target.key)
    request = Request(template.method, template.target, sent, base64.b64decode(template.body))
    for match in dict.fromkeys(match.groups() for match in _HOLE.finditer(template.text)):
        answer, name, number = int(match[0]), match[1], int(match[2])
        value = find_given(answers[answer].body, name, number) if answer < len(answers) else None
        if value is not None:
            request = replace_given(request, place_holder(GivenValue(answer, name, number, "")), value)
    if not _is_of_api(request.target, place.resolved.api, place.resolved.info.version):
        raise ValueError(f"its address {request.target[:60]!r} is not a path of the API")
    return request


Part = TypeVar("Part")

NEAR, FAR = 400, 40
"""How many histories may be played to shrink one, on this machine and elsewhere, where each may be billed."""

TRIES = 3
"""How often a failure that does not return at once is tried."""

STOPPED, LATE = "the search was interrupted", "the time limit was reached"


def minimal(
    place: SearchTarget, failure: Failure, also: Callable[[Failure], object] = lambda other: None
) -> Failure:
    """The smallest failure of the same kind, run once more; as far as time allows, which it notes.

    A KeyboardInterrupt stops the timer of the place, and nothing of the failure is lost. `also` gets every failure
    that appears meanwhile.
    """
    model = place.model
    if failure.history:
        return _Shrinking(place, failure, failure.history, play, model.simplify, model.weigh, also).run()
    requests = tuple(templates(failure.trail, place.resolved.api))
    return _Shrinking(place, failure, requests, resend, simpler_requests, weigh_requests, also).run()


class _Shrinking(Generic[Part]):
    """Simplifies one failure step by step; `parts` are its history or its requests.

    `tries` is how often a candidate runs before it is dropped.
    """

    def __init__(
        self,
        place: SearchTarget,
        failure: Failure,
        parts: tuple[Part, ...],
        again: Callable[[SearchTarget, Sequence[Part], str], list[Failure]],
        simpler: Callable[[tuple[Part, ...]], Iterator[tuple[Part, ...]]],
        weigh: Callable[[tuple[Part, ...]], tuple[int, ...]],
        also: Callable[[Failure], object],
    ) -> None:
        self._place = place
        self._best = failure
        self._parts = parts
        self._again, self._simpler, self._weigh, self._also = again, simpler, weigh, also
        self._left = NEAR if place.is_cheap else FAR
        self._tries = 1

    def run(self) -> Failure:
        """Shrink, then play the result again."""
        if why := _why_no_time(self._place):
            return replace(self._best, unshrunk=why, replays=Replays(why_not=why))
        try:
            self._set_pace(Pace.SHRINKING)
            first = self._replay()
            if first.lost and self._best.replays.why_not:
                return replace(self._best, unshrunk=self._best.replays.why_not)
            if first.lost:
                return replace(self._best, unshrunk="it did not fail again", replays=first)
            self._tries = TRIES if first.flaky else 1
            unshrunk = self._shrink()
            self._set_pace(Pace.CONFIRMING)
            last = first if _why_no_time(self._place) else self._replay()
        except TimeUp:
            return replace(self._best, unshrunk=LATE, replays=Replays(why_not=LATE))
        except KeyboardInterrupt:
            self._place.timer.stop()
            return replace(self._best, unshrunk=STOPPED, replays=Replays(why_not=STOPPED))
        finally:
            self._set_pace(Pace.SEARCHING)
        both = Replays(first.shown + last.shown, first.played + last.played)
        return replace(self._best, unshrunk=unshrunk, replays=last if last.shown else both)

    def _set_pace(self, pace: Pace) -> None:
        self._place.lag.confirming = pace is Pace.CONFIRMING
        if self._place.patience is not None and self._best.rule == ANSWERED:
            self._place.patience.pace = pace

    def _replay(self) -> Replays:
        """Play it until it failed, at most `TRIES` times."""
        for played in range(1, TRIES + 1):
            again = self._play(self._parts)
            if again is not None:
                self._keep(self._parts, again)
                return Replays(1, played)
            if _why_no_time(self._place):
                return Replays(0, played)
        return Replays(0, TRIES)

    def _shrink(self) -> str:
        """Replace the failure by smaller ones while there are any; return why there may be more, or ""."""
        tried = [self._parts]
        while True:
            for candidate in self._simpler(self._parts):
                if candidate in tried:
                    continue
                if why := _why_no_time(self._place):
                    return why
                if self._left <= 0:
                    return f"{NEAR if self._place.is_cheap else FAR} others were tried, which is the most"
                tried.append(candidate)
                if self._is_smaller(candidate):
                    break
            else:
                return ""

    def _is_smaller(self, candidate: tuple[Part, ...]) -> bool:
        """Play a candidate; if it shows the same, it takes the place of the best one."""
        for _ in range(self._tries):
            again = self._play(candidate)
            parts = candidate if again is None or not again.history else cast("tuple[Part, ...]", again.history)
            if again is not None and self._weigh(parts) < self._weigh(self._parts):
                self._keep(parts, again)
                return True
        return False

    def _keep(self, parts: tuple[Part, ...], again: Failure) -> None:
        """Take over a failure as it was seen again: its own answers belong to its own requests."""
        self._parts = parts
        self._best = replace(self._best, defect=again.defect, history=again.history, trail=again.trail)

    def _play(self, parts: tuple[Part, ...]) -> Failure | None:
        self._left -= 1
        mine = None
        for failure in self._again(self._place, parts, self._best.engine):
            self._also(failure)
            mine = failure if failure.key == self._best.key else mine
        return mine


def _why_no_time(place: SearchTarget) -> str:
    if place.timer.stopped:
        return STOPPED
    return LATE if place.timer.over() else ""
