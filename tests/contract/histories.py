"""Short histories built by hand: each exchange with what the caller meant by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.contract import load
from harness.contract.judge.history.history_judge import HistoryJudge
from harness.contract.judge.history.interactions import PLAIN, Intent
from harness.outcome import Judgement
from harness.wire import Exchange
from tests.contract.exchanges import ROOT, exchange
from tests.contract.streams import completed, created, delta, frames, start, stop

RIGHT = Intent(legal=True)
TEXT = [{"type": "model_output", "content": [{"type": "text", "text": "hi"}]}]
OTHER = [{"type": "model_output", "content": [{"type": "text", "text": "ho"}]}]
CALL = [{"type": "function_call", "id": "c1", "name": "f", "arguments": {}}]
EVENTS = [created("a"), start(0), delta(0), stop(0), completed("a")]
RUN = [{**event, "event_id": f"e{number}"} for number, event in enumerate(EVENTS)]
"""The events of a whole background run, each with its cursor."""

SSE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Heard:
    """One exchange and its intent."""

    exchange: Exchange
    intent: Intent = PLAIN


def made(
    status: str = "completed", identity: str = "a", *, http: int = 200, sent: Any = None, **fields: Any
) -> Heard:
    """A right create that is answered with this interaction."""
    if status == "completed" and "steps" not in fields:
        fields["steps"] = TEXT
    body = {"id": identity, "status": status, **fields} if http < 300 else refusal()
    return Heard(exchange(sent=sent or {"input": "hi"}, status=http, body=body), RIGHT)


def begun(status: str = "in_progress", **fields: Any) -> Heard:
    """A right background create."""
    return made(status, sent={"input": "hi", "background": True}, **fields)


def child(http: int = 200, identity: str = "b", *, echo: str = "a", **fields: Any) -> Heard:
    """A right create that continues interaction `a`."""
    named = {"previous_interaction_id": echo} if echo else {}
    sent = {"input": "more", "previous_interaction_id": "a"}
    return made("completed", identity, http=http, sent=sent, **named, **fields)


def wrong(rule: str, http: int, **fields: Any) -> Heard:
    """A create that a rule forbids."""
    body = {"id": "x", "status": "completed", "steps": TEXT} if http < 300 else refusal()
    return Heard(exchange(sent={"input": "hi", **fields}, status=http, body=body), Intent(refused_by=rule))


def look(
    status: str = "completed", identity: str = "a", *, http: int = 200, of: str = "a", **fields: Any
) -> Heard:
    """A GET of one interaction."""
    if status == "completed" and "steps" not in fields:
        fields["steps"] = TEXT
    body = {"id": identity, "status": status, **fields} if http < 300 else refusal()
    return Heard(exchange("GET", f"{ROOT}/{of}", status=http, body=body))


def cancel(status: str = "cancelled", *, http: int = 200, **fields: Any) -> Heard:
    """A cancel."""
    body = {"id": "a", "status": status, **fields} if http < 300 else refusal()
    return Heard(exchange("POST", f"{ROOT}/a/cancel", status=http, body=body))


def delete(http: int = 200, body: Any = None) -> Heard:
    """A delete."""
    return Heard(exchange("DELETE", f"{ROOT}/a", status=http, body=(body or {}) if http < 300 else refusal()))


def stream(
    events: Iterable[dict[str, Any]] = RUN,
    *,
    after: str = "",
    http: int = 200,
    label: str = SSE,
    done: bool = True,
) -> Heard:
    """A GET of one interaction as a stream."""
    query = "stream=true" + (f"&last_event_id={after}" if after else "")
    target = f"{ROOT}/a?{query}"
    if http >= 300:
        return Heard(exchange("GET", target, status=http, body=refusal()))
    return Heard(exchange("GET", target, label=label, body=frames(events, done=done)))


def streamed(events: Iterable[dict[str, Any]] = EVENTS, *, label: str = SSE, **sent: Any) -> Heard:
    """A right create that asks for a stream."""
    return Heard(exchange(sent={"input": "hi", "stream": True, **sent}, label=label, body=frames(events)), RIGHT)


def to_nobody(rule: str, http: int, *, method: str = "GET", path: str = "/nobody", body: Any = None) -> Heard:
    """A request about an id that names nothing."""
    answer = refusal() if body is None else body
    return Heard(exchange(method, ROOT + path, status=http, body=answer), Intent(refused_by=rule))


def foreign(heard: Heard) -> Heard:
    """The same with the key of another project."""
    return Heard(heard.exchange, Intent(foreign=True))


def later(heard: Heard, **intent: Any) -> Heard:
    """The same with another intent."""
    return Heard(heard.exchange, Intent(**intent))


def refusal() -> dict[str, Any]:
    """An error body."""
    return {"error": {"code": "invalid_request", "message": "no"}}


def judge_all(history: Sequence[Heard], **options: Any) -> Judgement:
    """All that a judge says of a history."""
    judge = HistoryJudge(load(), **{"sole_client": True, "deterministic": True, **options})
    whole = Judgement()
    for heard in history:
        whole.add(judge.note(heard.exchange, heard.intent))
    return whole
