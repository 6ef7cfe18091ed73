"""The judges of the checks on function calls, on hand-made exchanges."""

from __future__ import annotations

import pytest

from harness.checks.areas.tools import ANSWERS, first_call
from harness.checks.vocabulary.modes import IN_A_STREAMED_CHAIN, IN_BACKGROUND, STREAMED
from harness.outcome import Unmet
from tests.checks._play import CRASH, DONE, MISSING, REFUSED, answer, case, interaction, refusal, says, steps
from tests.checks._streams import CALL, call_events, streamed, text_events, two_call_events

# --- function calls, on hand-made exchanges


ASKED = steps(CALL)
RESULT = {"type": "function_result", "call_id": "call_1", "result": "x"}
DONE_BY_THE_SERVER = steps(CALL, RESULT, status="completed")
NO_OTHERS = {"modes": {}}
NO_MODES = {**NO_OTHERS, "again": {}}
WHOLE = streamed(call_events('{"location":', '"Paris"}'))


def bent(**fields):
    """The function call with some fields replaced; `None` omits a field."""
    return steps({name: value for name, value in {**CALL, **fields}.items() if value is not None})


def declaring(function, found="", **call):
    """The answer to a create that declares one function, and has another one in the result of a search."""
    results = [{"type": "function_result", "result": [{"type": "function", "name": found}]}]
    sent = {"model": "m", "tools": [{"type": "function", "name": function}], "input": results}
    return answer(body=interaction(status="requires_action", steps=[CALL | call]), method="POST", sent=sent)


CASES = [
    case("tool.requires-action", "met", "waits", asked=ASKED),
    case("tool.requires-action", "untestable", "no call", asked=DONE),
    case("tool.requires-action", "untestable", "the server ran it", asked=DONE_BY_THE_SERVER),
    case("tool.requires-action", "untestable", "cut short", asked=steps(CALL, status="incomplete")),
    case("tool.requires-action", "untestable", "refused", asked=refusal(400)),
    case("tool.requires-action", "not_met", "crash", asked=refusal(500)),
    case("tool.call-fields", "met", "no arguments needed", asked=bent(arguments={})),
    case("tool.call-fields", "not_met", "no id", asked=bent(id=None)),
    case("tool.declared", "met", "declared", asked=declaring("get_weather")),
    case("tool.declared", "not_met", "another", asked=declaring("get_time")),
    case("tool.declared", "met", "found by a search", asked=declaring("get_time", "get_weather")),
    case("tool.declared", "met", "a call without a name", asked=declaring("get_weather", name="")),
    case("tool.args-fit", "not_met", "missing", asked=bent(arguments={})),
    case("tool.get-same", "not_met", "completed", asked=ASKED, fetched=steps(CALL, status="completed")),
    case("tool.get-same", "not_met", "no call", asked=ASKED, fetched=steps()),
    case("tool.get-same", "not_met", "gone", asked=ASKED, fetched=refusal(404)),
    case("tool.choice-none", "untestable", "refused", answer=refusal(400), **NO_OTHERS),
    case("tool.choice-none", "not_met", "a call", answer=ASKED, **NO_OTHERS),
    case("tool.choice-none", "not_met", "a call in a stream", answer=DONE, modes={"stream": WHOLE}),
    case("tool.choice-none", "not_met", "a call in another mode", answer=DONE, modes={"later": ASKED}),
    case("tool.choice-any", "met", "of another function", answer=bent(name="get_time"), **NO_MODES),
    case("tool.choice-any", "untestable", "refused", answer=refusal(400), **NO_MODES),
    case("tool.choice-any", "untestable", "no steps", answer=answer(body=interaction(steps=None)), **NO_MODES),
    case("tool.choice-any", "untestable", "cut short", answer=steps(status="incomplete"), **NO_MODES),
    case("tool.choice-any", "non_strict", "prose", answer=DONE, modes={"later": DONE}, again={"later": DONE}),
    case("tool.choice-any", "not_met", "crash", answer=refusal(500), **NO_MODES),
    case("tool.choice-any", "met", "prose once in a mode", answer=ASKED, modes={"later": DONE},
         again={"later": ASKED}),
    case("tool.choice-any", "met", "refused in a mode", answer=ASKED, modes={"later": refusal(400)}, again={}),
    case("tool.choice-any", "not_met", "prose in a mode", answer=ASKED, modes={"later": DONE},
         again={"later": DONE}),
    case("tool.choice-allowed", "untestable", "refused", answer=refusal(400), modes={}),
    case("tool.choice-allowed", "untestable", "no call", answer=DONE, modes={}),
    case("tool.choice-allowed", "not_met", "the other in a stream", answer=ASKED,
         modes={"stream": streamed(call_events("{}", name="get_time"))}),
    case("chain.no-tools", "not_met", "a call", toolless=ASKED),
    case("tool.stream-status", "untestable", "no call", tool=streamed(text_events("Hi"))),
    case("tool.stream-status", "not_met", "just ends", tool=streamed(call_events("{}")[:-1])),
    case("tool.stream-call", "not_met", "mojibake", stored={"tool": ASKED},
         tool=streamed(call_events('{"location":', '"PÃris"}'))),
    case("tool.stream-call", "not_met", "half of what is stored", stored={"tool": ASKED},
         tool=streamed(call_events('{"location":'))),
    case("tool.stream-call", "not_met", "half an object", tool=streamed(call_events('{"location":')), stored={}),
    case("tool.stream-call", "not_met", "a list", tool=streamed(call_events("[1]")), stored={}),
]  # fmt: skip


def test_a_call_without_an_id_is_not_taken_for_none():
    """What cannot be answered for lack of an id is said to lack it, not to have never come."""
    with pytest.raises(Unmet, match=r"called \"get_weather\", but the call has no id"):
        first_call(bent(id=None))
    with pytest.raises(Unmet, match="called no function"):
        first_call(DONE)


# --- function results, on hand-made exchanges

CALLED = answer(body=interaction(status="requires_action", steps=[CALL]))
CALLS = {"asked": CALLED, "modes": {}, "again": {}, "retold": REFUSED}
REPEATING = {**CALLS, **{name: {"in a stream": WHOLE} for name in ("modes", "again")}}
NEXT = answer(body=interaction(id="v1_two"))
AGAIN = answer(body=interaction(id="v1_two", status="requires_action", steps=[CALL]))
SAME = answer(body=interaction(status="requires_action", steps=[CALL, {**CALL, "id": "call_2"}]))
TWO = answer(body=interaction(status="requires_action", steps=[CALL, {**CALL, "id": "call_2", "arguments": {}}]))
TWO_STREAMED = {STREAMED: streamed(two_call_events("c1", "c2"))}
RUNNING = answer(body=interaction(id="v1_two", status="in_progress"))


def forms(**changed):
    """The answers to a function result in each form: accepted, except those that are replaced."""
    return {"string": NEXT, "object": NEXT, "list": NEXT, **changed}


QUOTED = [{"type": "model_output", "content": [{"type": "text", "text": "Report 46173: sunny."}]}]
QUOTES = answer(body=interaction(id="v1_two", steps=QUOTED))


def quoted(**changed):
    """The same, with the number of the result in each text."""
    return {**dict.fromkeys(forms(), QUOTES), **changed}


ANSWERED = {"asked": CALLED, "stored": {}}


def stores(**result):
    """The GET of a turn, with the result in its input, if there is one."""
    given = [{"type": "function_result", "call_id": "c1", **result}] if result else []
    return answer(body=interaction(id="v1_two", steps=[*given, *QUOTED]))


CASES += [
    case("tool.result-ok", "met", "and called again", **CALLS, streamed_answered={},
         forms=forms(string=AGAIN)),
    case("tool.result-ok", "met", "another form refused", **CALLS, streamed_answered={},
         forms=forms(object=REFUSED)),
    case("tool.result-ok", "not_met", "refused", **CALLS, streamed_answered={},
         forms=forms(string=REFUSED)),
    case("tool.result-ok", "not_met", "the same id", **CALLS, streamed_answered={},
         forms=forms(string=DONE)),
    case("tool.result-ok", "met", "whatever its status", **CALLS, streamed_answered={},
         forms=forms(string=RUNNING)),
    case("tool.result-ok", "not_met", "something else", **CALLS, streamed_answered={},
         forms=forms(string=answer(body={}))),
    case("tool.result-ok", "not_met", "refused for a stream", **CALLS, forms=forms(),
         streamed_answered={"plain": REFUSED}),
    case("tool.result-ok", "not_met", "refused in a stream", **CALLS, forms=forms(),
         streamed_answered={"plain": NEXT, "in_a_stream": REFUSED}),
    case("tool.result-ok", "not_met", "called again in streams alone", **REPEATING, forms=forms(),
         streamed_answered={}),
    case("tool.result-ok", "met", "called again, as in a plain turn", **REPEATING, forms=forms(string=AGAIN),
         streamed_answered={}),
    case("tool.result-ok", "met", "called again in one stream", **{**REPEATING, "again": {"in a stream": NEXT}},
         forms=forms(), streamed_answered={}),
    case("tool.result-final", "not_met", "still running", forms=forms(string=RUNNING)),
    case("tool.result-error", "not_met", "refused", asked=CALLED, failure=REFUSED, failures={}),
    case("tool.result-error", "not_met", "refused in a mode", asked=CALLED, failure=NEXT,
         failures={"in a stream": CRASH}),
    case("tool.result-forms", "not_met", "no object", **ANSWERED, modes={}, forms=forms(object=REFUSED)),
    case("tool.result-forms", "met", "in each mode", **ANSWERED, forms=quoted(), modes={"in a stream": QUOTES}),
    case("tool.result-forms", "not_met", "refused in a mode", **ANSWERED, forms=forms(),
         modes={"later": REFUSED}),
    case("tool.result-forms", "met", "running in a mode", **ANSWERED, forms=quoted(), modes={"later": RUNNING}),
    case("tool.result-forms", "not_met", "unread", **ANSWERED, forms=quoted(object=NEXT), modes={}),
    case("tool.result-forms", "not_met", "unread in a mode", **ANSWERED, forms=quoted(), modes={"later": NEXT}),
    case("tool.result-forms", "met", "one quotes", **ANSWERED, forms=forms(list=QUOTES), modes={}),
    case("tool.result-forms", "not_met", "one not stored", asked=CALLED, forms=quoted(), modes={},
         stored={"string": stores(), "list": stores(result=ANSWERS["list"])}),
    case("tool.result-forms", "met", "stored in other forms", asked=CALLED, forms=quoted(), modes={},
         stored={"string": stores(result=ANSWERS["list"]), "list": stores(result=ANSWERS["object"])}),
    case("tool.result-forms", "met", "no input shown", asked=CALLED, forms=quoted(), modes={},
         stored={"string": NEXT, "list": MISSING}),
    case("tool.result-bad-id", "non_strict", "404", wrong_id=refusal(404)),
    case("tool.parallel", "not_met", "in one order alone", asked=TWO, answered=REFUSED, in_order=NEXT, later={}),
    case("tool.parallel", "met", "accepted", asked=TWO, answered=NEXT, in_order=None, later={}),
    case("tool.parallel", "not_met", "the same twice", asked=SAME, answered=NEXT, in_order=None, later={}),
    case("tool.parallel", "not_met", "one read", asked=TWO, in_order=None, later={},
         answered=says("Report 57284.", id="v1_two")),
    case("tool.parallel", "not_met", "one read in a mode", asked=TWO, answered=NEXT, in_order=None,
         later={"later": says("Report 57284.", id="v1_two")}),
    case("tool.parallel", "not_met", "refused in a mode", asked=TWO, answered=NEXT, in_order=None,
         later={"later": REFUSED}),
    case("tool.parallel", "not_met", "refused", asked=TWO, answered=REFUSED, in_order=None, later={}),
    case("tool.ids-unique", "not_met", "one for both in a stream", asked=TWO,
         streams={"later": streamed(two_call_events("c1", "c1"))}),
    case("tool.stream-parallel", "met", "apart", asked=TWO, fetched={}, streams=TWO_STREAMED),
    case("tool.stream-parallel", "untestable", "one call", asked=TWO, fetched={}, streams={STREAMED: WHOLE}),
    case("tool.stream-parallel", "untestable", "no streams", asked=TWO, fetched={}, streams={}),
    case("tool.stream-parallel", "met", "refused in a mode", asked=TWO, fetched={},
         streams={**TWO_STREAMED, "later": REFUSED}),
    case("tool.stream-parallel", "not_met", "no name", asked=TWO, fetched={},
         streams={STREAMED: streamed(two_call_events("c1", "c2", name=""))}),
    case("tool.stream-parallel", "not_met", "one of two in a mode", streams={**TWO_STREAMED, "later": WHOLE},
         asked=TWO, fetched={"later": TWO}),
    case("tool.stateless", "not_met", "refused", answered=REFUSED, streamed=None),
    case("tool.stateless", "not_met", "refused in a stream", answered=NEXT, streamed=REFUSED),
]  # fmt: skip


# --- tool search, on hand-made exchanges

SEARCH = {"type": "tool_search_call", "id": "s1", "arguments": {"function_names": ["get_weather"]}}
LOADED = {"type": "tool_search_result", "call_id": "s1", "result": [{"type": "function", "name": "get_weather"}]}
OTHERS = [{"type": "function", "name": "other"}]


PLAIN = streamed(text_events("Sunny."))
FOUND = steps(SEARCH, LOADED, CALL)

CASES += [
    case("toolsearch.pair-matched", "met", "both halves", asked=FOUND, streamed=PLAIN),
    case("toolsearch.pair-matched", "untestable", "no search", asked=steps(CALL), streamed=PLAIN),
    case("toolsearch.pair-matched", "untestable", "refused", asked=refusal(400), streamed=refusal(400)),
    case("toolsearch.pair-matched", "not_met", "crash", asked=refusal(500), streamed=PLAIN),
    case("toolsearch.pair-matched", "not_met", "no search before", asked=steps(LOADED, CALL), streamed=PLAIN),
    case("toolsearch.pair-matched", "not_met", "twice", asked=steps(SEARCH, LOADED, LOADED), streamed=PLAIN),
    case(
        "toolsearch.names-declared", "met", "none", streamed=PLAIN,
        asked=steps(SEARCH, {**LOADED, "result": []}),
    ),
    case(
        "toolsearch.names-declared", "not_met", "another", streamed=PLAIN,
        asked=steps(SEARCH, {**LOADED, "result": OTHERS}),
    ),
    case(
        "toolsearch.not-pending", "not_met", "the search waits", streamed=PLAIN, answered=DONE,
        asked=steps(SEARCH, LOADED),
    ),
]  # fmt: skip


# --- search steps, on hand-made exchanges


QUERY = {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["x"]}}
FOUND = {"type": "google_search_result", "call_id": "s1"}
SAID = streamed(text_events("Hi"))
SEARCHED = steps(QUERY, FOUND, status="completed")

CASES += [
    case("tool.search", "met", "both halves", answer=SEARCHED, modes={}),
    case("tool.search", "met", "no search", answer=DONE, modes={}),
    case("tool.search", "untestable", "refused", answer=refusal(400), modes={}),
    case("tool.search", "not_met", "something else", answer=answer(body=[]), modes={}),
    case("tool.search", "not_met", "left to the client", answer=steps(QUERY, status="requires_action"), modes={}),
    case("tool.search", "not_met", "a call of nothing declared", answer=steps(CALL, status="completed"), modes={}),
    case("tool.search", "not_met", "left to the client in a mode", answer=DONE,
         modes={"later": steps(QUERY, status="requires_action")}),
    case("tool.search", "not_met", "in no stream", answer=SEARCHED,
         modes={STREAMED: SAID, IN_A_STREAMED_CHAIN: SAID, IN_BACKGROUND: SEARCHED}),
    case("tool.search", "met", "not in one stream", answer=SEARCHED,
         modes={STREAMED: SAID, IN_BACKGROUND: SEARCHED}),
    case("tool.search-shape", "met", "both halves", answer=SEARCHED, modes={}),
    case("tool.search-shape", "untestable", "no search", answer=DONE, modes={}),
    case("tool.search-shape", "not_met", "a stray result", modes={},
         answer=steps(QUERY, {**FOUND, "call_id": "s2"}, status="completed")),
    case("tool.search-shape", "not_met", "no result in a mode", answer=SEARCHED,
         modes={"later": steps(QUERY, status="completed")}),
]  # fmt: skip

CASES += [
    case("tool.format", "not_met", "crash", formatted=refusal(500)),
    case("tool.format", "untestable", "refused", formatted=refusal(400)),
    case(
        "tool.format", "untestable", "another call", formatted=answer(body=interaction(status="requires_action"))
    ),
]
