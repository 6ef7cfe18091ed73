"""Several exchanges about the same interaction must agree with each other."""

from __future__ import annotations

from typing import Any

from harness.contract import judge_history, load
from harness.wire import Exchange
from tests.contract.exchanges import ROOT, exchange
from tests.contract.streams import WHOLE, completed, created, delta, error, frames, start, stop, update
from tests.in_one_test import in_one_test

TEXT = [{"type": "model_output", "content": [{"type": "text", "text": "hi"}]}]
OTHER = [{"type": "model_output", "content": [{"type": "text", "text": "ho"}]}]
GROWN = [{"type": "model_output", "content": [{"type": "text", "text": "hi there"}]}]


def look(status: str, identity: str = "a", **fields: Any) -> Exchange:
    """A GET and its response."""
    return exchange("GET", f"{ROOT}/a", body={"id": identity, "status": status, **fields})


def made(status: str, identity: str = "a", **fields: Any) -> Exchange:
    """A create and its response."""
    return exchange(body={"id": identity, "status": status, **fields})


def cancelled(status: str = "cancelled") -> Exchange:
    """A cancel and its response."""
    return exchange("POST", f"{ROOT}/a/cancel", body={"id": "a", "status": status})


def streamed(*events: dict[str, Any]) -> Exchange:
    """A create with a streamed response."""
    return exchange(label="text/event-stream", body=frames(events))


REST = [{**delta(0), "event_id": "e2"}, {**stop(0), "event_id": "e3"}, completed("a")]


def broken_off() -> Exchange:
    """A background create whose stream ends with an error."""
    begun = [created("a"), {**start(0), "event_id": "e1"}, error()]
    return exchange(sent={"background": True, "stream": True}, label="text/event-stream", body=frames(begun))


def resumed(*events: dict[str, Any]) -> Exchange:
    """A GET of what follows the first event."""
    target = f"{ROOT}/a?stream=true&last_event_id=e1"
    return exchange("GET", target, label="text/event-stream", body=frames(events))


HISTORIES: dict[str, tuple[list[Exchange], list[str]]] = {
    "polling": ([made("in_progress"), look("in_progress"), look("completed"), look("completed")], []),
    "a skipped state": ([made("queued"), look("completed")], []),
    "an unlisted status": ([made("in_progress"), look("pondering"), look("completed")], []),
    "a cancel that shows late": ([made("in_progress"), cancelled(), look("in_progress"), look("cancelled")], []),
    "two interactions": ([made("completed"), made("in_progress", "b")], []),
    "unstored ones have no identity": ([made("completed", ""), made("completed", "")], []),
    "input shows in GET only": (
        [made("completed", steps=TEXT), look("completed", steps=[{"type": "user_input", "content": []}, *TEXT])],
        [],
    ),
    "steps still grow while it runs": ([look("in_progress", steps=TEXT), look("in_progress", steps=GROWN)], []),
    "a text is rewritten while it runs": (
        [look("in_progress", steps=TEXT), look("in_progress", steps=OTHER)],
        ["bg.grows"],
    ),
    "a stream": ([streamed(*WHOLE)], []),
    "runs again": ([look("completed"), look("in_progress")], ["bg.no-regress"]),
    "settles otherwise": ([look("completed"), look("cancelled")], ["bg.no-regress"]),
    "back to the queue": ([look("in_progress"), look("queued")], ["bg.transition"]),
    "back to the queue in a stream": (
        [streamed(created(), update(), update("queued"), completed())],
        ["bg.transition"],
    ),
    "another id": ([look("completed", "b")], ["bg.same-id"]),
    "one id for two": ([made("completed"), made("completed")], ["create.id-unique"]),
    "steps change": ([look("completed", steps=TEXT), look("completed", steps=OTHER)], ["get.same"]),
    "usage changes": (
        [look("completed", usage={"total_tokens": 1}), look("completed", usage={"total_tokens": 2})],
        ["get.same"],
    ),
    "GET differs from POST": (
        [made("completed", steps=TEXT), look("completed", steps=OTHER)],
        ["get.matches-post"],
    ),
    "an error ends a connection, and the run goes on": ([broken_off(), resumed(*REST)], []),
    "an event is lost after an error": ([broken_off(), resumed(*REST), resumed(*REST[1:])], ["resume.no-gap"]),
    "no answers": ([exchange(status=None), exchange(status=500, body=b"x")], []),
}


@in_one_test(HISTORIES)
def test_histories(exchanges: list[Exchange], rules: list[str]) -> None:
    """Each history breaks exactly the rules listed with it."""
    named = [(f"x{number}", subject) for number, subject in enumerate(exchanges)]
    findings = judge_history(named, load())
    assert [finding.rule for finding in findings] == rules
    assert all(finding.where.exchange.startswith("x") for finding in findings)
