"""Checks of tool search: a function whose loading is deferred, which the model must find before it calls it.

Layer 2. A target without tool search, or a model that does not search, is untestable, not broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.checks.areas.tool_use.tools import QUESTION, calls_in, result_of
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import at, expect_interaction, expect_offered, finding, interaction_in
from harness.checks.vocabulary.polling import id_of, status_of
from harness.checks.vocabulary.stream_events import is_stream
from harness.checks.vocabulary.streamed import FORCED, WEATHER
from harness.contract import read
from harness.contract.data.output import output_steps
from harness.contract.judge.wording import format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_TOOL_SEARCH = new_registry()
CHECKS = _TOOL_SEARCH.checks

TOOLS = [{"type": "tool_search"}, {**WEATHER, "defer_loading": True, "short_description": "Weather."}]


@exercise(requests=3, interactions=3)
def a_tool_search(t: RequestBuilder) -> Steps:
    """A question that needs a deferred function, streamed and not, and the result of the call that follows."""
    asked: Exchange = yield Send(t.create(input=QUESTION, tools=TOOLS, **FORCED))
    streamed: Exchange = yield Send(t.create(input=QUESTION, tools=TOOLS, stream=True, **FORCED))
    seen: Exchanges = {"asked": asked, "streamed": streamed}
    calls = [call for call in calls_in(asked) if isinstance(call.get("id"), str)] if asked.succeeded else []
    if not calls or not id_of(asked):
        return stop_exercise(seen, "the search led to no call with an id")
    results = [result_of(call) for call in calls]
    body = {"input": results, "tools": TOOLS, "previous_interaction_id": id_of(asked)}
    return {**seen, "answered": (yield Send(t.create(body)))}


@_TOOL_SEARCH.check(
    "toolsearch.pair-matched",
    a_tool_search,
    title="a tool search and its result belong together",
    profile="tools",
    requires=["functions"],
    accepts=["one result after each search", "no search, or a refusal of the tool: untestable"],
)
def _is_paired(asked: Exchange, streamed: Exchange) -> Iterator[Finding]:
    yield from at("asked", expect_offered(asked))
    for name, steps in _searches(asked, streamed).items():
        yield from at(name, _find_unmatched(steps))


@_TOOL_SEARCH.check(
    "toolsearch.names-declared",
    a_tool_search,
    title="a tool search loads declared functions only",
    profile="tools",
    requires=["functions"],
    accepts=["functions of the request", "a search for a name that is not declared, if nothing is loaded"],
)
def _loads_what_is_declared(asked: Exchange, streamed: Exchange) -> Iterator[Finding]:
    for name, steps in _searches(asked, streamed).items():
        yield from at(name, _find_strangers(steps))


@_TOOL_SEARCH.check(
    "toolsearch.not-pending",
    a_tool_search,
    title="a tool search waits for nobody",
    profile="tools",
    requires=["functions", "store"],
    accepts=["requires_action for function calls alone, and 2xx for their results alone"],
)
def _waits_for_nobody(asked: Exchange, streamed: Exchange, answered: Exchange) -> Iterator[Finding]:
    _searches(asked, streamed)
    if status_of(asked) == "requires_action" and not calls_in(asked):
        yield finding("the search waits for the client", expected="a function call", actual="no call is pending")
    yield from at("answered", expect_interaction(answered))


# --- what the judges share


def _searches(asked: Exchange, streamed: Exchange) -> dict[str, list[dict[str, Any]]]:
    """Return the steps of both answers, by name. Raises `Unmet` if neither has a search."""
    found = {"asked": output_steps(interaction_in(asked))}
    if is_stream(streamed):
        found["streamed"] = list(read(streamed).streamed_steps)
    if not any(_of_type(steps, "tool_search_call", "tool_search_result") for steps in found.values()):
        raise Unmet("the model did not search for tools")
    return found


def _of_type(steps: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [step for step in steps if step.get("type") in kinds]


def _find_unmatched(steps: list[dict[str, Any]]) -> Iterator[Finding]:
    waiting: list[Any] = []
    for step in _of_type(steps, "tool_search_call", "tool_search_result"):
        if step["type"] == "tool_search_call":
            waiting.append(step.get("id"))
        elif step.get("call_id") in waiting:
            waiting.remove(step.get("call_id"))
        else:
            actual = format_value(step.get("call_id"))
            yield finding("a result names no search before it", expected=format_value(waiting), actual=actual)
    for call_id in waiting:
        yield finding("a search without a result", expected="a tool_search_result", actual=format_value(call_id))


def _find_strangers(steps: list[dict[str, Any]]) -> Iterator[Finding]:
    for step in _of_type(steps, "tool_search_result"):
        result = step.get("result")
        for loaded in result if isinstance(result, list) else ():
            name = loaded.get("name") if isinstance(loaded, dict) else loaded
            if name != WEATHER["name"]:
                yield finding(
                    "a function was loaded that the request does not declare",
                    expected=str(WEATHER["name"]), actual=format_value(name),
                )  # fmt: skip
