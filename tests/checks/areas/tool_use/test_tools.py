"""The judges of the checks on function calls, on hand-made exchanges."""

from __future__ import annotations

import pytest

from harness.checks.areas.tool_use.tools import first_call
from harness.outcome import Unmet
from tests.checks._play import answer, case, interaction, refusal
from tests.checks._streams import CALL, call_events, streamed, text_events


def calls(*steps, status="requires_action", **fields):
    """An answer with these steps."""
    return answer(body=interaction(status=status, steps=list(steps), **fields))


ASKED = calls(CALL)
TEXT = answer(body=interaction())
RESULT = {"type": "function_result", "call_id": "call_1", "result": "x"}
DONE_BY_THE_SERVER = calls(CALL, RESULT, status="completed")
WHOLE = streamed(call_events('{"location":', '"Paris"}'))


def bent(**fields):
    """The function call with some fields replaced; `None` omits a field."""
    return calls({name: value for name, value in {**CALL, **fields}.items() if value is not None})


CASES = [
    case("tool.requires-action", "met", "waits", asked=ASKED),
    case("tool.requires-action", "untestable", "no call", asked=TEXT),
    case("tool.requires-action", "untestable", "the server ran it", asked=DONE_BY_THE_SERVER),
    case("tool.requires-action", "not_met", "completed", asked=calls(CALL, status="completed")),
    case("tool.requires-action", "untestable", "cut short", asked=calls(CALL, status="incomplete")),
    case("tool.requires-action", "untestable", "refused", asked=refusal(400)),
    case("tool.requires-action", "not_met", "crash", asked=refusal(500)),
    case("tool.call-fields", "met", "all there", asked=ASKED),
    case("tool.call-fields", "met", "no arguments needed", asked=bent(arguments={})),
    case("tool.call-fields", "not_met", "no id", asked=bent(id=None)),
    case("tool.call-fields", "not_met", "an empty name", asked=bent(name="")),
    case("tool.call-fields", "not_met", "arguments as text", asked=bent(arguments='{"location": "Paris"}')),
    case("tool.declared", "met", "declared", asked=ASKED),
    case("tool.declared", "not_met", "another", asked=bent(name="get_time")),
    case("tool.args-fit", "met", "in its type", asked=ASKED),
    case("tool.args-fit", "not_met", "missing", asked=bent(arguments={})),
    case("tool.args-fit", "not_met", "another type", asked=bent(arguments={"location": 7})),
    case("tool.get-same", "met", "the same", asked=ASKED, fetched=ASKED),
    case("tool.get-same", "not_met", "completed", asked=ASKED, fetched=calls(CALL, status="completed")),
    case("tool.get-same", "not_met", "no call", asked=ASKED, fetched=calls()),
    case("tool.get-same", "not_met", "gone", asked=ASKED, fetched=refusal(404)),
    case("tool.choice-none", "met", "text", answer=TEXT),
    case("tool.choice-none", "untestable", "refused", answer=refusal(400)),
    case("tool.choice-none", "not_met", "a call", answer=ASKED),
    case("tool.choice-none", "not_met", "crash", answer=refusal(500)),
    case("tool.choice-any", "met", "a call", answer=ASKED),
    case("tool.choice-any", "met", "of another function", answer=bent(name="get_time")),
    case("tool.choice-any", "untestable", "refused", answer=refusal(400)),
    case("tool.choice-any", "untestable", "cut short", answer=calls(status="incomplete")),
    case("tool.choice-any", "not_met", "prose", answer=TEXT),
    case("tool.choice-any", "not_met", "crash", answer=refusal(500)),
    case("tool.choice-allowed", "met", "the allowed one", answer=ASKED),
    case("tool.choice-allowed", "untestable", "refused", answer=refusal(400)),
    case("tool.choice-allowed", "untestable", "no call", answer=TEXT),
    case("tool.choice-allowed", "not_met", "the other", answer=bent(name="get_time")),
    case("chain.no-tools", "met", "text", toolless=TEXT),
    case("chain.no-tools", "not_met", "a call", toolless=ASKED),
    case("tool.stream-status", "met", "waits", tool=WHOLE),
    case("tool.stream-status", "untestable", "no call", tool=streamed(text_events("Hi"))),
    case("tool.stream-status", "not_met", "completed", tool=streamed(call_events("{}", status="completed"))),
    case("tool.stream-status", "not_met", "just ends", tool=streamed(call_events("{}")[:-1])),
    case("tool.stream-call", "met", "whole", tool=WHOLE),
    case("tool.stream-call", "not_met", "half an object", tool=streamed(call_events('{"location":'))),
    case("tool.stream-call", "not_met", "a list", tool=streamed(call_events("[1]"))),
    case("tool.stream-call", "not_met", "no name", tool=streamed(call_events("{}", name=""))),
]  # fmt: skip


def test_a_call_without_an_id_is_not_taken_for_none():
    """What cannot be answered for lack of an id is said to lack it, not to have never come."""
    with pytest.raises(Unmet, match=r"called \"get_weather\", but the call has no id"):
        first_call(bent(id=None))
    with pytest.raises(Unmet, match="called no function"):
        first_call(TEXT)
