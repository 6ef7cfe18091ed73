"""Play one exercise against a service in this process, and make exchanges by hand for judges.

`harness.engine` plays exercises in earnest; this is the minimum that the tests of checks need.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.checks.catalogue import CATALOGUE
from harness.contract import load, read
from harness.contract.requests import RequestBuilder
from harness.kit.check import Close, Collect, Exercise, Finish, Listen, Open, Part, Read, Send, Together, Wait
from harness.outcome import NotApplicable, Observation, Outcome, Unmet
from harness.wire import (
    COMPLETE,
    By,
    Chunk,
    Driver,
    Ending,
    Exchange,
    ExchangeBuilder,
    Framing,
    Headers,
    How,
    Length,
    Request,
)

JSON = "application/json"
SSE = "text/event-stream"
BY_ID = {check.id: check for check in CATALOGUE}
TARGET = RequestBuilder(key="harness-test-key", other_key="harness-other-key")


@dataclass
class Played:
    """What one exercise returned and what it cost: requests below an API version, and accepted creates.

    Requests to the control API cost nothing and are not counted.
    """

    exchanges: dict[str, Any] | None = None
    unmet: Unmet | NotApplicable | None = None
    requests: int = 0
    interactions: int = 0

    def count(self, request: Request, status: int | None) -> None:
        """Count one more request and its answer."""
        if request.target.startswith("/__harness__/"):
            return
        self.requests += 1
        self.interactions += (
            request.method == "POST" and request.segments[-1:] == ("interactions",) and status in range(200, 300)
        )


def play(exercise: Exercise, driver: Driver, target: RequestBuilder = TARGET) -> Played:
    """Run an exercise to its end; an `Unmet` becomes part of the result."""
    played = Played()
    try:
        played.exchanges = _drive(driver, exercise.run(target), played)
    except (Unmet, NotApplicable) as unmet:
        played.unmet = unmet
    return played


def _drive(driver: Driver, steps: Part[Any], played: Played) -> Any:
    result: Any = None
    while True:
        try:
            action = steps.send(result)
        except StopIteration as stop:
            return stop.value
        result = _act(driver, action, played)


def _act(driver: Driver, action: Any, played: Played) -> Any:
    match action:
        case Send(request):
            sent = judged(driver.perform(action))
            played.count(request, sent.status)
            return sent
        case Open(request):
            stream = driver.perform(action)
            played.count(request, stream.status)
            return stream
        case Together():
            answers = [judged(exchange) for exchange in driver.perform(action)]
            for one in answers:
                played.count(one.request, one.status)
            return answers
        case Read(stream, events):
            return stream.read(events)
        case Finish(stream):
            return judged(stream.finish())
        case Close(stream):
            return judged(stream.close())
        case Wait() | Listen() | Collect():
            return driver.perform(action)
    raise TypeError(f"an exercise yielded {action!r}, which is not an action")


def answer(
    status: int | None = 200,
    body: Any = b"",
    *,
    method: str = "GET",
    target: str = "/v1beta/interactions/x",
    sent: Any = b"",
    label: str | None = JSON,
    headers: Mapping[str, str] | None = None,
    request_headers: Mapping[str, str] | None = None,
    framing: Framing | None = None,
    ending: Ending = COMPLETE,
) -> Exchange:
    """A finished exchange; `status=None` is a connection that died before the response head."""
    request = Request(method, target, Headers((request_headers or {}).items()), _bytes(sent))
    recorder = ExchangeBuilder(request)
    if status is None:
        return judged(recorder.finish(Ending(By.SERVER, How.RST), 0.1))
    data = _bytes(body)
    fields = {**({"content-type": label} if label else {}), **(headers or {})}
    recorder.head(status, Headers(fields.items()), framing or Length(len(data)))
    if data:
        recorder.chunk(Chunk(data), 0.1)
    return judged(recorder.finish(ending, 0.1))


def judged(exchange: Exchange) -> Exchange:
    """The exchange, to be judged by the current revision."""
    read(exchange, load())
    return exchange


def stream_of(*payloads: Any, status: int = 200) -> Exchange:
    """An event stream with these payloads, each in a frame of its own."""
    frames = b"".join(b"data: " + _bytes(payload) + b"\n\n" for payload in payloads)
    return answer(status, frames, label=SSE)


def refusal(status: int, code: Any = "invalid_request", message: Any = "No.", **more: Any) -> Exchange:
    """An error in the API's own shape."""
    return answer(status, {"error": {"message": message, "code": code}}, **more)


def interaction(**fields: Any) -> dict[str, Any]:
    """A completed interaction that keeps every rule, with some fields replaced; `None` omits a field."""
    whole = {
        "id": "v1_one",
        "object": "interaction",
        "status": "completed",
        "model": "gemini-3.8-flash",
        "created": "2026-11-20T07:00:00Z",
        "updated": "2026-11-20T07:00:01Z",
        "steps": [
            {"type": "thought", "signature": "c2ln"},
            {"type": "model_output", "content": [{"type": "text", "text": "Hi."}]},
        ],
        "usage": {"total_tokens": 5, "total_input_tokens": 2, "total_output_tokens": 3},
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def says(text: str, **fields: Any) -> Exchange:
    """An answer whose only output is this text."""
    step = {"type": "model_output", "content": [{"type": "text", "text": text}]}
    return answer(body=interaction(steps=[step], **fields))


def steps(*shown: Any, status: str = "requires_action") -> Exchange:
    """An answer with these steps."""
    return answer(body=interaction(status=status, steps=list(shown)))


def shows(status: str, **fields: Any) -> Exchange:
    """An answer that shows the interaction with this status."""
    return answer(body=interaction(status=status, **fields))


def holding(text: str) -> Exchange:
    """A stored interaction whose input was `text`."""
    return answer(body=interaction(steps=[{"type": "user_input", "content": [{"type": "text", "text": text}]}]))


def judge(check_id: str, **exchanges: Any) -> Observation:
    """The observation of one check of the catalogue on these exchanges."""
    usual = {"controls": [], "still": False, "others": [], "empty": DONE, "slow": [False], "plain": DONE}
    return BY_ID[check_id].observe({**usual, **exchanges})


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


DEAD = answer(None)
EMPTY = answer(body={})
DONE = answer(body=interaction())
REFUSED, MISSING, CRASH = refusal(400), refusal(404, "not_found"), refusal(500, "api_error")
"""What most tables need: no answer at all, and the plainest answer of each kind."""


class Case(NamedTuple):
    """One row of a table: the outcome that the check must reach on these exchanges, and the reason in words."""

    check_id: str
    outcome: Outcome
    why: str
    exchanges: dict[str, Any]


def case(check_id: str, outcome: str, why: str, **exchanges: Any) -> Case:
    """A row."""
    return Case(check_id, Outcome(outcome), why, exchanges)


def page_cases(
    rule: str,
    field: str,
    identity: str = "id",
    *,
    backwards: bool = False,
    names: tuple[str, str] = ("paged", "expected"),
    whole: str = "listed",
) -> list[Any]:
    """The cases of a rule of paged lists with answers of these `names`; if `backwards`, the newest is first.

    `whole` is the name of the list in one page; "" if there is none, which could show that a list is late.
    """
    one, two = [{identity: name} for name in (["b", "a"] if backwards else ["a", "b"])]

    def page(*entries: Any, token: str = "") -> Exchange:
        return answer(body={field: list(entries), **({"next_page_token": token} if token else {})})

    listed = {whole: page(one, two)} if whole else {}
    late = [case(rule, "non_strict", "late", paged=[page(one)], expected=["a", "b"], **{whole: page(one)})]
    rows: list[tuple[str, str, list[Exchange]]] = [
        ("met", "one each", [page(one, token="p2"), page(two)]),
        ("met", "older ones too", [page({identity: "old"}, one, two)]),
        ("met", "an empty page at the end", [page(one, two, token="p2"), answer(body={})]),
        ("untestable", "no end", [page(one, two, token="p2")]),
        ("non_strict", "one twice", [page(one, token="p2"), page(one, two)]),
        ("not_met", "the same page", [page(one, token="p2"), page(one, token="p2"), page(one, two)]),
        ("not_met" if whole else "non_strict", "one lost", [page(one, token="p2"), page()]),
        ("untestable", "no list", [refusal(404)]),
        ("not_met", "refused", [page(one, two, token="p2"), refusal(400)]),
        ("not_met", "a bare list", [answer(body=[one, two])]),
        *([("non_strict", "the oldest first", [page(two, token="p2"), page(one)])] if backwards else []),
    ]
    cases = [
        case(rule, what, why, **{names[0]: paged, names[1]: ["a", "b"]}, **listed) for what, why, paged in rows
    ]
    return [*cases, *late] if whole else cases
