"""Checks of results sent back for function calls: in every form, for several calls at once, without storing.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from harness.checks.areas.tool_use.tools import QUESTION, a_tool_loop, calls_in, first_call, result_of
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import script
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_refusal,
    expect_reply,
    expect_settled,
    finding,
    interaction_in,
    note,
)
from harness.checks.vocabulary.polling import id_of
from harness.checks.vocabulary.streamed import FORCED, WEATHER
from harness.contract.data.output import output_steps
from harness.contract.judge.agreement import judge_own_id
from harness.contract.judge.replies import SUCCESS
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange

_RESULTS = new_registry()
CHECKS = _RESULTS.checks

_TWO_CALLS = [
    {"type": "function_call", "id": "call_paris", "name": "get_weather", "arguments": {"location": "Paris"}},
    {"type": "function_call", "id": "call_rome", "name": "get_weather", "arguments": {"location": "Rome"}},
]


# --- exercises


@exercise(requests=2, interactions=2)
def parallel_calls(t: RequestBuilder) -> Steps:
    """An answer with two calls, and a turn with both results."""
    yield from script(t, "two-calls", steps=_TWO_CALLS, status="requires_action")
    text = "How is the weather in Paris, and how in Rome? Ask for both at once. (two-calls)"
    asked: Exchange = yield Send(t.create(input=text, tools=[WEATHER], **FORCED))
    made = calls_in(asked)
    calls = [call for call in made if isinstance(call.get("id"), str)]
    if len(calls) < 2 <= len(made):
        raise Unmet(f"of {len(made)} calls, {len(made) - len(calls)} have no id that a result could name")
    if len(calls) < 2:
        raise Unmet(f"the model made {format_count(len(calls), 'call')}, not several", race_lost=True)
    results = [result_of(call) for call in calls]
    parent = id_of(asked)
    if not parent:
        raise Unmet("the interaction with the calls has no id to chain to")
    return {
        "asked": asked,
        "answered": (yield Send(t.create(input=results, tools=[WEATHER], previous_interaction_id=parent))),
    }


@exercise(requests=3, interactions=2)
def a_stateless_loop(t: RequestBuilder) -> Steps:
    """A tool loop that stores nothing and sends every step back, then does so again without the signatures."""
    asked: Exchange = yield Send(t.create(input=QUESTION, tools=[WEATHER], store=False, **FORCED))
    call = first_call(asked)
    steps = output_steps(interaction_in(asked))
    question = {"type": "user_input", "content": [{"type": "text", "text": QUESTION}]}
    body = {"input": [question, *steps, result_of(call)], "tools": [WEATHER], "store": False}
    seen: Exchanges = {"asked": asked, "answered": (yield Send(t.create(body)))}
    bare = [{name: value for name, value in step.items() if name != "signature"} for step in steps]
    signed = [step for step in steps if step.get("type") == "thought" and step.get("signature")]
    if not signed:
        return stop_exercise(seen, "no thought of the first turn had a signature to lose")
    body = {**body, "input": [question, *bare, result_of(call)]}
    return {**seen, "unsigned": (yield Send(t.create(body)))}


# --- judges


@_RESULTS.check(
    "tool.result-ok",
    a_tool_loop,
    title="the result of a call is accepted",
    profile="tools",
    requires=["functions", "store", "chain"],
    accepts=["2xx and an interaction with an id of its own"],
)
def _takes_the_result(asked: Exchange, forms: Mapping[str, Exchange]) -> Iterator[Finding]:
    yield from at("forms[string]", _accepted_result(asked, forms["string"]))


@_RESULTS.check(
    "tool.result-forms",
    a_tool_loop,
    title="a result may be a string, an object or a list",
    profile="tools",
    requires=["functions", "store", "chain"],
    accepts=["2xx and an interaction with an id of its own, for each form"],
)
def _takes_every_form(asked: Exchange, forms: Mapping[str, Exchange]) -> Iterator[Finding]:
    for name, answer in forms.items():
        yield from at(f"forms[{name}]", _accepted_result(asked, answer))


@_RESULTS.check(
    "tool.result-final",
    a_tool_loop,
    title="the answer to a result has a settled status",
    profile="tools",
    requires=["functions", "store", "chain"],
    accepts=["any status but queued and in_progress"],
)
def _is_final(forms: Mapping[str, Exchange]) -> Iterator[Finding]:
    yield from at("forms[string]", expect_settled(forms["string"]))


@_RESULTS.check(
    "tool.result-error",
    a_tool_loop,
    title="a result that reports an error is accepted",
    profile="tools",
    requires=["functions", "store", "chain"],
    accepts=["2xx and an interaction with an id of its own"],
)
def _takes_a_failure(asked: Exchange, failure: Exchange) -> Iterator[Finding]:
    yield from at("failure", _accepted_result(asked, failure))


_RESULTS.check(
    "tool.result-no-tools",
    a_tool_loop,
    title="a result needs no second declaration",
    profile="tools",
    requires=["functions", "store", "chain"],
    accepts=["2xx and an interaction"],
)(judge_one("bare", expect_interaction))


_RESULTS.check(
    "tool.result-bad-id",
    a_tool_loop,
    title="a result for no call is refused",
    profile="tools",
    requires=["functions", "store", "chain"],
    accepts=["400", "any other 4xx: non-strict"],
)(judge_one("wrong_id", partial(expect_reply, "tool.result-bad-id")))


_RESULTS.check(
    "tool.result-orphan",
    a_tool_loop,
    title="a lone result is refused",
    profile="tools",
    requires=["functions"],
    accepts=["any 4xx"],
)(judge_one("orphan", partial(expect_reply, "tool.result-orphan")))


@_RESULTS.check(
    "tool.parallel",
    parallel_calls,
    title="the results of parallel calls are accepted together",
    profile="tools",
    requires=["functions", "store", "chain"],
    accepts=["2xx and an interaction with an id of its own", "fewer than two calls: untestable"],
)
def _takes_them_together(asked: Exchange, answered: Exchange) -> Iterator[Finding]:
    yield from at("answered", _accepted_result(asked, answered))


_RESULTS.check(
    "tool.stateless",
    a_stateless_loop,
    title="a tool loop works without storing",
    profile="tools",
    requires=["functions"],
    accepts=["2xx and an interaction"],
)(judge_one("answered", expect_interaction))


_RESULTS.check(
    "tool.signature-missing",
    a_stateless_loop,
    title="a lost thought signature is noticed",
    profile="tools",
    requires=["functions", "thoughts"],
    accepts=["400", "any other 4xx: non-strict"],
)(judge_one("unsigned", partial(expect_refusal, accepts={400})))


@_RESULTS.check(
    "tool.ids-unique",
    parallel_calls,
    title="each call has its own id",
    profile="tools",
    requires=["functions"],
    accepts=["as many ids as calls", "fewer than two calls: untestable"],
)
def _have_their_own_ids(asked: Exchange) -> Iterator[Finding]:
    ids = [str(call.get("id")) for call in calls_in(asked)]
    if len(set(ids)) < len(ids):
        yield finding("two calls share an id", expected=format_count(len(ids), "id"), actual=", ".join(ids))


def _accepted_result(asked: Exchange, answer: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(answer)
    if answer.status not in SUCCESS:
        return
    yield from judge_own_id("", id_of(answer), id_of(asked))
    if calls_in(answer):
        yield note("the model called again")
