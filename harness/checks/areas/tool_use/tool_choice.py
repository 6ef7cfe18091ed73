"""Checks of tool_choice: which functions a model may call, must call or must not call.

Layer 2. A model that is forced to call may still not do so; a missing call is untestable, not broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.areas.tool_use.tools import QUESTION, calls_in, need_calls
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    expect_offered,
    finding,
)
from harness.checks.vocabulary.polling import status_of
from harness.checks.vocabulary.stored import HELLO
from harness.checks.vocabulary.streamed import FORCED, WEATHER
from harness.contract.judge.agreement import CUT_SHORT
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_TOOLS = new_registry()
CHECKS = _TOOLS.checks

TIME: Mapping[str, Any] = {**WEATHER, "name": "get_time", "description": "The time of day in one place."}


@exercise(requests=1, interactions=1)
def a_turn_without_calls(t: RequestBuilder) -> Steps:
    """A function that is declared but forbidden by tool_choice."""
    choice = {"tool_choice": "none"}
    return {"answer": (yield Send(t.create(input=QUESTION, tools=[WEATHER], generation_config=choice)))}


@exercise(requests=1, interactions=1)
def a_call_among_allowed(t: RequestBuilder) -> Steps:
    """Two declared functions, only one of them allowed, and a question that needs the other."""
    choice = {"tool_choice": {"allowed_tools": {"mode": "any", "tools": [WEATHER["name"]]}}}
    body = {"input": "What time is it in Paris?", "tools": [TIME, WEATHER]}
    return {"answer": (yield Send(t.create(body, generation_config=choice)))}


@exercise(requests=1, interactions=1)
def a_needless_call(t: RequestBuilder) -> Steps:
    """A forced call where the question needs none."""
    return {"answer": (yield Send(t.create(input=HELLO, tools=[WEATHER], **FORCED)))}


@_TOOLS.check(
    "tool.choice-any",
    a_needless_call,
    title="tool_choice any forces a call",
    profile="tools",
    accepts=["a call of the function", "a refusal, or a run that did not end in order: untestable"],
)
def _is_forced(answer: Exchange) -> Iterator[Finding]:
    yield from expect_offered(answer)
    if status_of(answer) in CUT_SHORT:
        raise Unmet(f"the run ended as {status_of(answer)}")
    if not calls_in(answer):
        yield finding("no function was called", expected="a function_call step", actual=format_answer(answer))


@_TOOLS.check(
    "tool.choice-none",
    a_turn_without_calls,
    title="tool_choice none means no call",
    profile="tools",
    requires=["functions"],
    accepts=["an answer without a pending call", "a refusal of the option: untestable"],
)
def _calls_nothing(answer: Exchange) -> Iterator[Finding]:
    yield from expect_offered(answer)
    if calls_in(answer):
        yield finding("a function was called", expected="no call", actual=format_value(calls_in(answer)[0]))


@_TOOLS.check(
    "tool.choice-allowed",
    a_call_among_allowed,
    title="only a function that tool_choice allows is called",
    profile="tools",
    requires=["functions"],
    accepts=["calls of the allowed function", "no call, or a refusal of the option: untestable"],
)
def _calls_what_is_allowed(answer: Exchange) -> Iterator[Finding]:
    yield from expect_offered(answer)
    for call in need_calls(answer):
        if call.get("name") != WEATHER["name"]:
            yield finding("another function", expected=str(WEATHER["name"]), actual=format_value(call.get("name")))
