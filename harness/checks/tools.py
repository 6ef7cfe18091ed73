"""Checks of function calls and of searches, streamed or not; the results of calls are `tool_results`.

Layer 2. A model is forced to call, and still may not: what it did not do is untestable, not broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.checks.actions import Exchanges, Send, Steps, stopped
from harness.checks.check import Registry, exercise
from harness.checks.events import completion, events_in
from harness.checks.judging import (
    SUCCESS,
    briefly,
    broken,
    expect_status,
    interaction_in,
    output_steps,
    shown,
)
from harness.checks.streamed import FORCED, WEATHER, streams_of_all_kinds
from harness.checks.target import Target
from harness.checks.waiting import id_of, status_of
from harness.contract import Assembler, compare_steps
from harness.contract.rules import BY_ID
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_TOOLS = Registry(BY_ID)
CHECKS = _TOOLS.checks

QUESTION = "How is the weather in Paris?"
ANSWERS: Mapping[str, Any] = {
    "string": "Sunny, 20 degrees.",
    "object": {"sky": "sunny", "degrees": 20},
    "list": [{"type": "text", "text": "Sunny, 20 degrees."}],
}
"""One result in each form that the schema has."""

Call = Mapping[str, Any]


def calls_in(exchange: Exchange) -> list[dict[str, Any]]:
    """The function_call steps of an answer that no function_result in it has settled."""
    steps = output_steps(interaction_in(exchange))
    done = [step.get("call_id") for step in steps if step.get("type") == "function_result"]
    return [step for step in steps if step.get("type") == "function_call" and step.get("id") not in done]


def first_call(exchange: Exchange) -> Call:
    """A pending call that can be answered; raises `Unmet` when there is none."""
    for call in calls_in(exchange):
        if isinstance(call.get("id"), str) and call["id"]:
            return call
    raise Unmet(f"the model called no function: {shown(exchange)}")


def result_of(call: Call, result: Any = ANSWERS["string"]) -> dict[str, Any]:
    """The function_result step that answers a call."""
    found: dict[str, Any] = {"type": "function_result", "call_id": call["id"], "result": result}
    if isinstance(call.get("name"), str):
        found["name"] = call["name"]
    return found


# --- exercises


@exercise(requests=9, interactions=6)
def a_tool_loop(t: Target) -> Steps:
    """A forced call, its result in every form, and results that answer nothing."""
    asked: Exchange = yield Send(t.create(input=QUESTION, tools=[WEATHER], **FORCED))
    seen: Exchanges = {"asked": asked}
    parent = id_of(asked)
    try:
        call = first_call(asked)
    except Unmet as unmet:
        return stopped(seen, unmet.reason)
    if not parent:
        return stopped(seen, "the interaction with the call has no id to chain to")
    seen["fetched"] = yield Send(t.get(parent))
    forms: dict[str, Exchange] = {}
    for name, value in ANSWERS.items():
        body = {"input": [result_of(call, value)], "tools": [WEATHER]}
        forms[name] = yield Send(t.create(body, previous_interaction_id=parent))
    seen["forms"] = forms
    seen["bare"] = yield Send(t.create(input=[result_of(call)], previous_interaction_id=parent))
    wrong = {**result_of(call), "call_id": "no-such-call"}
    seen["wrong_id"] = yield Send(t.create(input=[wrong], tools=[WEATHER], previous_interaction_id=parent))
    seen["orphan"] = yield Send(t.create(input=[result_of(call)], tools=[WEATHER]))
    answered = id_of(forms["string"])
    if not answered:
        return stopped(seen, "no turn with a result had an id to chain to")
    return {**seen, "toolless": (yield Send(t.create(input=QUESTION, previous_interaction_id=answered)))}


@exercise(requests=1, interactions=1)
def a_turn_without_calls(t: Target) -> Steps:
    """A function that is declared and forbidden."""
    choice = {"tool_choice": "none"}
    return {"answer": (yield Send(t.create(input=QUESTION, tools=[WEATHER], generation_config=choice)))}


@exercise(requests=1, interactions=1)
def a_search(t: Target) -> Steps:
    """A question that sends the model to the search tool."""
    question = "Search the web: who won the latest chess world championship?"
    return {"answer": (yield Send(t.create(input=question, tools=[{"type": "google_search"}])))}


# --- judges of calls


@_TOOLS.check(
    "tool.requires-action",
    a_tool_loop,
    title="a pending call gives requires_action",
    profile="tools",
    requires=["functions"],
)
def _waits_for_the_result(asked: Exchange) -> Iterator[Finding]:
    if not calls_in(asked):
        raise Unmet(f"the model called no function: {shown(asked)}")
    if status_of(asked) != "requires_action":
        yield broken("a call is pending", expected="requires_action", actual=status_of(asked) or shown(asked))


@_TOOLS.check(
    "tool.call-fields",
    a_tool_loop,
    title="a call has id, name and an object of arguments",
    profile="tools",
    requires=["functions"],
)
def _has_its_fields(asked: Exchange) -> Iterator[Finding]:
    for call in _some_calls(asked):
        for name in ("id", "name"):
            if not isinstance(call.get(name), str) or not call[name]:
                yield broken(f"a call without {name}", expected="a text", actual=briefly(call.get(name)))
        if not isinstance(call.get("arguments"), dict):
            yield broken("arguments are no object", expected="an object", actual=briefly(call.get("arguments")))


@_TOOLS.check(
    "tool.declared",
    a_tool_loop,
    title="only declared functions are called",
    profile="tools",
    requires=["functions"],
)
def _was_declared(asked: Exchange) -> Iterator[Finding]:
    for call in _some_calls(asked):
        if call.get("name") != WEATHER["name"]:
            yield broken("an undeclared function", expected=str(WEATHER["name"]), actual=briefly(call.get("name")))


@_TOOLS.check(
    "tool.args-fit",
    a_tool_loop,
    title="arguments fit the declaration",
    profile="tools",
    requires=["functions"],
    accepts=["the required parameters, in their types", "more than was declared"],
)
def _fits_its_declaration(asked: Exchange) -> Iterator[Finding]:
    for call in _some_calls(asked):
        arguments = call.get("arguments")
        if isinstance(arguments, dict) and not isinstance(arguments.get("location"), str):
            yield broken("a required argument is missing", expected="location: string", actual=briefly(arguments))


@_TOOLS.check(
    "tool.get-same",
    a_tool_loop,
    title="GET shows the pending call",
    profile="tools",
    requires=["functions", "store"],
    accepts=["the same status and output steps"],
)
def _shows_the_call(asked: Exchange, fetched: Exchange) -> Iterator[Finding]:
    yield from expect_status(fetched, accepts=SUCCESS)
    if status_of(fetched) != status_of(asked):
        yield broken("another status", expected=status_of(asked), actual=status_of(fetched) or shown(fetched))
    for difference in compare_steps(output_steps(interaction_in(asked)), output_steps(interaction_in(fetched))):
        yield broken(f"the stored steps differ: {difference}")


@_TOOLS.check(
    "tool.choice-none",
    a_turn_without_calls,
    title="tool_choice none means no call",
    profile="tools",
    requires=["functions"],
)
def _calls_nothing(answer: Exchange) -> Iterator[Finding]:
    if calls_in(answer):
        yield broken("a function was called", expected="no call", actual=briefly(calls_in(answer)[0]))


@_TOOLS.check(
    "chain.no-tools",
    a_tool_loop,
    title="tools are not inherited",
    profile="tools",
    requires=["functions", "store"],
)
def _inherits_no_tools(toolless: Exchange) -> Iterator[Finding]:
    if calls_in(toolless):
        yield broken("a function was called that this turn did not declare", expected="no call", actual="one")


# --- judges of streamed calls, and of searches


@_TOOLS.check(
    "tool.stream-status",
    streams_of_all_kinds,
    title="a streamed call ends with requires_action",
    profile="tools",
    requires=["functions", "stream"],
)
def _stream_waits(tool: Exchange) -> Iterator[Finding]:
    if not _streamed_calls(tool):
        raise Unmet("the streamed model called no function")
    end = completion(events_in(tool))
    if end is None:
        yield broken("no interaction.completed", expected="one with requires_action", actual="none")
    elif end.get("status") != "requires_action":
        yield broken("a call is pending", expected="requires_action", actual=briefly(end.get("status")))


@_TOOLS.check(
    "tool.stream-call",
    streams_of_all_kinds,
    title="a streamed call is whole",
    profile="tools",
    requires=["functions", "stream"],
)
def _streamed_call_is_whole(tool: Exchange) -> Iterator[Finding]:
    calls = _streamed_calls(tool)
    if not calls:
        raise Unmet("the streamed model called no function")
    for call in calls:
        lacking = [name for name in ("id", "name") if not isinstance(call.get(name), str) or not call[name]]
        if lacking:
            yield broken(f"a streamed call lacks {' and '.join(lacking)}", actual=briefly(call))
        if not isinstance(call.get("arguments"), dict):
            yield broken("the arguments do not join", expected="an object", actual=briefly(call.get("arguments")))


@_TOOLS.check(
    "tool.search-shape",
    a_search,
    title="a search is a call and a result that names it",
    profile="tools",
    requires=["search"],
    accepts=["results without items", "several results for one call"],
)
def _search_has_both_halves(answer: Exchange) -> Iterator[Finding]:
    steps = output_steps(interaction_in(answer))
    if status_of(answer) == "requires_action":
        yield broken("the search waits for the client", expected="a completed search", actual="requires_action")
    calls = [step for step in steps if step.get("type") == "google_search_call"]
    results = [step for step in steps if step.get("type") == "google_search_result"]
    if not calls and not results:
        raise Unmet("the model did not search")
    ids = [call.get("id") for call in calls]
    for result in results:
        if result.get("call_id") not in ids:
            yield broken("a result names no call", expected=briefly(ids), actual=briefly(result.get("call_id")))
    if not results:
        yield broken("a search without a result", expected="a google_search_result step", actual="none")


# --- what the judges share


def _some_calls(exchange: Exchange) -> Sequence[Call]:
    calls = calls_in(exchange)
    if not calls:
        raise Unmet(f"the model called no function: {shown(exchange)}")
    return calls


def _streamed_calls(stream: Exchange) -> list[Call]:
    assembler = Assembler()
    for event in events_in(stream):
        assembler.event(event)
    return [step for step in assembler.steps() if step.get("type") == "function_call"]
