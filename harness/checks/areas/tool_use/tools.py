"""Checks of function calls, streamed or not. `tool_choice` checks which are made, `tool_results` their results.

Layer 2. A model that is forced to call may still not do so; a missing call is untestable, not broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_offered,
    finding,
    interaction_in,
)
from harness.checks.vocabulary.polling import id_of, poll_until_found, status_of
from harness.checks.vocabulary.stream_events import completion, events_in
from harness.checks.vocabulary.streamed import FORCED, WEATHER, streams_of_all_kinds
from harness.contract import compare_steps, read
from harness.contract.data.output import output_steps
from harness.contract.judge.agreement import CUT_SHORT, judge_waiting, pending_calls
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_TOOLS = new_registry()
CHECKS = _TOOLS.checks

QUESTION = "How is the weather in Paris?"
ANSWERS: Mapping[str, Any] = {
    "string": "Sunny, 20 degrees.",
    "object": {"sky": "sunny", "degrees": 20},
    "list": [{"type": "text", "text": "Sunny, 20 degrees."}],
}
"""One result in each form that the schema allows."""


Call = Mapping[str, Any]


def calls_in(exchange: Exchange) -> list[dict[str, Any]]:
    """Return the pending function_call steps of an answer: those without a function_result in it."""
    return pending_calls(output_steps(interaction_in(exchange)))


def need_calls(exchange: Exchange) -> Sequence[Call]:
    """Return the pending calls of an answer. Raises `Unmet` if there is none."""
    calls = calls_in(exchange)
    if not calls:
        raise Unmet(f"the model called no function: {format_answer(exchange)}")
    return calls


def first_call(exchange: Exchange) -> Call:
    """Return the first pending call with an id. Raises `Unmet` if there is none."""
    calls = need_calls(exchange)
    for call in calls:
        if isinstance(call.get("id"), str) and call["id"]:
            return call
    name = format_value(calls[0].get("name"))
    raise Unmet(f"the model called {name}, but the call has no id that a result could name")


def result_of(call: Call, result: Any = ANSWERS["string"]) -> dict[str, Any]:
    """Build the function_result step that answers a call."""
    found: dict[str, Any] = {"type": "function_result", "call_id": call["id"], "result": result}
    if isinstance(call.get("name"), str):
        found["name"] = call["name"]
    return found


# --- exercises


@exercise(requests=10, interactions=7)
def a_tool_loop(t: RequestBuilder) -> Steps:
    """A forced call, its result in every form, an error as its result, and results that match no call."""
    asked: Exchange = yield Send(t.create(input=QUESTION, tools=[WEATHER], **FORCED))
    seen: Exchanges = {"asked": asked}
    parent = id_of(asked)
    try:
        call = first_call(asked)
    except Unmet as unmet:
        return stop_exercise(seen, unmet.reason)
    if not parent:
        return stop_exercise(seen, "the interaction with the call has no id to chain to")
    forms: dict[str, Exchange] = {}
    for name, value in ANSWERS.items():
        body = {"input": [result_of(call, value)], "tools": [WEATHER]}
        forms[name] = yield Send(t.create(body, previous_interaction_id=parent))
    seen["forms"] = forms
    failure = {**result_of(call, "There is no such place."), "is_error": True}
    seen["failure"] = yield Send(t.create(input=[failure], tools=[WEATHER], previous_interaction_id=parent))
    seen["bare"] = yield Send(t.create(input=[result_of(call)], previous_interaction_id=parent))
    wrong = {**result_of(call), "call_id": "no-such-call"}
    seen["wrong_id"] = yield Send(t.create(input=[wrong], tools=[WEATHER], previous_interaction_id=parent))
    seen["orphan"] = yield Send(t.create(input=[result_of(call)], tools=[WEATHER]))
    seen["fetched"] = (yield from poll_until_found(t, parent))[-1]
    answered = id_of(forms["string"])
    if not answered:
        return stop_exercise(seen, "no turn with a result had an id to chain to")
    return {**seen, "toolless": (yield Send(t.create(input=QUESTION, previous_interaction_id=answered)))}


# --- judges


@_TOOLS.check(
    "tool.requires-action",
    a_tool_loop,
    title="a pending call gives requires_action",
    profile="tools",
    requires=["functions"],
    accepts=["requires_action", "no call at all, or a run that did not end in order: untestable"],
)
def _waits_for_the_result(asked: Exchange) -> Iterator[Finding]:
    yield from expect_offered(asked)
    need_calls(asked)
    if status_of(asked) in CUT_SHORT:
        raise Unmet(f"the run ended as {status_of(asked)}, so nobody waits for the result")
    steps = output_steps(interaction_in(asked))
    yield from judge_waiting("tool.requires-action", status_of(asked), steps)


@_TOOLS.check(
    "tool.call-fields",
    a_tool_loop,
    title="a call has id, name and an object of arguments",
    profile="tools",
    requires=["functions"],
    accepts=["a text for id and name, an object, if an empty one, for arguments"],
)
def _has_its_fields(asked: Exchange) -> Iterator[Finding]:
    for call in need_calls(asked):
        for name in ("id", "name"):
            if not isinstance(call.get(name), str) or not call[name]:
                yield finding(f"a call without {name}", expected="a text", actual=format_value(call.get(name)))
        if not isinstance(call.get("arguments"), dict):
            yield finding(
                "arguments are no object", expected="an object", actual=format_value(call.get("arguments"))
            )


@_TOOLS.check(
    "tool.declared",
    a_tool_loop,
    title="only declared functions are called",
    profile="tools",
    requires=["functions"],
    accepts=["the name that was declared"],
)
def _was_declared(asked: Exchange) -> Iterator[Finding]:
    for call in need_calls(asked):
        if call.get("name") != WEATHER["name"]:
            yield finding(
                "an undeclared function", expected=str(WEATHER["name"]), actual=format_value(call.get("name"))
            )


@_TOOLS.check(
    "tool.args-fit",
    a_tool_loop,
    title="arguments fit the declaration",
    profile="tools",
    requires=["functions"],
    accepts=["the required parameters, in their types", "more than was declared"],
)
def _fits_its_declaration(asked: Exchange) -> Iterator[Finding]:
    for call in need_calls(asked):
        arguments = call.get("arguments")
        if isinstance(arguments, dict) and not isinstance(arguments.get("location"), str):
            yield finding(
                "a required argument is missing", expected="location: string", actual=format_value(arguments)
            )


@_TOOLS.check(
    "tool.get-same",
    a_tool_loop,
    title="GET shows the pending call",
    profile="tools",
    requires=["functions", "store"],
    accepts=["the same status and output steps"],
    about="fetched",
)
def _shows_the_call(asked: Exchange, fetched: Exchange) -> Iterator[Finding]:
    yield from at("fetched", expect_interaction(fetched))
    if status_of(fetched) != status_of(asked):
        yield finding(
            "another status", expected=status_of(asked), actual=status_of(fetched) or format_answer(fetched)
        )
    for difference in compare_steps(output_steps(interaction_in(asked)), output_steps(interaction_in(fetched))):
        yield finding(f"the stored steps differ: {difference}")


@_TOOLS.check(
    "chain.no-tools",
    a_tool_loop,
    title="tools are not inherited",
    profile="tools",
    requires=["functions", "store"],
    accepts=["an answer without a pending call"],
)
def _inherits_no_tools(toolless: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(toolless)
    if calls_in(toolless):
        yield finding("a function was called that this turn did not declare", expected="no call", actual="one")


@_TOOLS.check(
    "tool.stream-status",
    streams_of_all_kinds,
    title="a streamed call ends with requires_action",
    profile="tools",
    requires=["functions", "stream"],
    accepts=["interaction.completed with requires_action", "no call at all: untestable"],
)
def _ends_streams_waiting(tool: Exchange) -> Iterator[Finding]:
    if not _streamed_calls(tool):
        raise Unmet("the streamed model called no function")
    end = completion(events_in(tool))
    if end is None:
        yield finding("no interaction.completed", expected="one with requires_action", actual="none")
    else:
        yield from judge_waiting("tool.stream-status", end.get("status"), _streamed_calls(tool))


@_TOOLS.check(
    "tool.stream-call",
    streams_of_all_kinds,
    title="a streamed call is whole",
    profile="tools",
    requires=["functions", "stream"],
    accepts=["id and name as texts, fragments that join to an object, or an object in step.start"],
)
def _streamed_call_is_whole(tool: Exchange) -> Iterator[Finding]:
    calls = _streamed_calls(tool)
    if not calls:
        raise Unmet("the streamed model called no function")
    for call in calls:
        lacking = [name for name in ("id", "name") if not isinstance(call.get(name), str) or not call[name]]
        if lacking:
            yield finding(f"a streamed call lacks {' and '.join(lacking)}", actual=format_value(call))
        if not isinstance(call.get("arguments"), dict):
            yield finding(
                "the arguments do not join", expected="an object", actual=format_value(call.get("arguments"))
            )


def _streamed_calls(stream: Exchange) -> list[Call]:
    return [step for step in read(stream).streamed_steps if step.get("type") == "function_call"]
