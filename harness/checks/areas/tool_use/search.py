"""Checks of tools that the server runs itself, using search, which every target with such tools has.

Layer 2. A model that is asked to search may still not do so; a missing search is untestable, not broken.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.areas.tool_use.tools import calls_in
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import expect_offered, finding, interaction_in
from harness.checks.vocabulary.polling import status_of
from harness.contract.data.output import output_steps
from harness.contract.judge.wording import format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_SEARCH = new_registry()
CHECKS = _SEARCH.checks


@exercise(requests=1, interactions=1)
def a_search(t: RequestBuilder) -> Steps:
    """A question that makes the model use the search tool."""
    question = "Search the web: who won the latest chess world championship?"
    return {"answer": (yield Send(t.create(input=question, tools=[{"type": "google_search"}])))}


@_SEARCH.check(
    "tool.search",
    a_search,
    title="the server runs the search itself",
    profile="tools",
    requires=["search"],
    accepts=["an answer with or without a search, in which nothing waits for the client", "a refusal: untestable"],
)
def _searches_itself(answer: Exchange) -> Iterator[Finding]:
    yield from expect_offered(answer)
    if status_of(answer) == "requires_action":
        yield finding("the search waits for the client", expected="a completed search", actual="requires_action")
    for call in calls_in(answer):
        name = format_value(call.get("name"))
        yield finding("a function is called, and none was declared", expected="no function_call", actual=name)


@_SEARCH.check(
    "tool.search-shape",
    a_search,
    title="a search is a call and a result that names it",
    profile="tools",
    requires=["search"],
    accepts=["results without items", "several results for one call"],
)
def _search_has_both_halves(answer: Exchange) -> Iterator[Finding]:
    steps = output_steps(interaction_in(answer))
    calls = [step for step in steps if step.get("type") == "google_search_call"]
    results = [step for step in steps if step.get("type") == "google_search_result"]
    if not calls and not results:
        raise Unmet("the model did not search")
    ids = [call.get("id") for call in calls]
    for result in results:
        if result.get("call_id") not in ids:
            yield finding(
                "a result names no call", expected=format_value(ids), actual=format_value(result.get("call_id"))
            )
    if not results:
        yield finding("a search without a result", expected="a google_search_result step", actual="none")
