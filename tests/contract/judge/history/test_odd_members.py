"""Whatever value one member of a response has, judges of several exchanges raise nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from harness.contract import load
from harness.contract.judge.agreement import judge_streamed_end
from harness.contract.judge.answer import judge_causes, judge_incomparable
from harness.contract.judge.history.history_judge import judge_trail
from harness.contract.judge.history.run_judge import RunJudge
from harness.wire.bodies import object_or_none
from tests.contract.exchanges import ROOT, exchange
from tests.contract.histories import EVENTS
from tests.contract.streams import frames

CALL = {"type": "function_call", "id": "c1", "name": "f", "arguments": {"x": 1}}
ASKED = {"type": "user_input", "content": [{"type": "text", "text": "hi"}]}
SAID = {"type": "model_output", "content": [{"type": "text", "text": "hi"}]}
TOOLS = [{"type": "function", "name": "f"}]
BEGUN = {
    "id": "b",
    "object": "interaction",
    "status": "in_progress",
    "model": "m",
    "created": "2026-11-20T10:00:00Z",
}
SETTLED = {**BEGUN, "updated": "2026-11-20T10:00:01Z", "usage": {"total_tokens": 3}}
WAITS = {**SETTLED, "status": "requires_action", "steps": [ASKED, CALL]}
CHILD = {**SETTLED, "id": "c", "status": "completed", "steps": [SAID], "previous_interaction_id": "b"}
RESULT = [{"type": "function_result", "call_id": "c1", "name": "f", "result": "ok"}]
TRAIL = [
    exchange(sent={"model": "m", "input": "hi", "background": True, "tools": TOOLS}, body=BEGUN),
    exchange("GET", f"{ROOT}/b", body={**BEGUN, "steps": [ASKED]}),
    exchange("GET", f"{ROOT}/b", body=WAITS),
    exchange("GET", f"{ROOT}/b", body={**WAITS, "steps": [CALL]}),
    exchange("GET", f"{ROOT}/b?include_input=true", body={**WAITS, "input": "hi"}),
    exchange(sent={"model": "m", "input": RESULT, "previous_interaction_id": "b", "tools": TOOLS}, body=CHILD),
    exchange("GET", f"{ROOT}/c", body={**CHILD, "steps": [*RESULT, SAID]}),
    exchange("POST", f"{ROOT}/c/cancel", body=CHILD),
    exchange(sent={"model": "m", "input": "hi", "stream": True}, body=frames(EVENTS), label="text/event-stream"),
    exchange("GET", f"{ROOT}/a", body={**SETTLED, "id": "a", "status": "completed", "steps": [ASKED, SAID]}),
    exchange("GET", f"{ROOT}/nobody", status=404, body={"error": {"code": "not_found", "message": "no"}}),
]


def spoil(value: Any, odd: Any) -> Iterator[Any]:
    """The value with something odd in place of each of its parts, and in its own."""
    yield odd
    if isinstance(value, dict):
        yield from ({**value, name: part} for name in value for part in spoil(value[name], odd))
    elif isinstance(value, list):
        yield from (
            [*value[:n], part, *value[n + 1 :]] for n in range(len(value)) for part in spoil(value[n], odd)
        )


@pytest.mark.parametrize("odd", [{}, [[]], None, "\ud800", 10**400, 1e308], ids=lambda odd: str(odd)[:8])
def test_no_member_makes_a_judge_raise(odd: Any) -> None:
    for at, right in enumerate(TRAIL):
        for body in spoil(object_or_none(right.body), odd):
            asked = right.request
            wrong = exchange(asked.method, asked.target, sent=asked.body, status=right.status, body=body)
            trail, run = [*TRAIL[:at], wrong, *TRAIL[at + 1 :]], RunJudge()
            shown = body if isinstance(body, dict) else {}
            found = [*judge_streamed_end(SETTLED, shown), *judge_streamed_end(shown, SETTLED)]
            found += [finding for _, finding in judge_trail(trail, load(), Counter())]
            for number, one in enumerate(trail):
                found += [*judge_incomparable(one), *judge_causes(one, trail[:number])]
                found += [finding for _, finding in run.note(one)]
            assert all(finding.message for finding in found)
