"""Checks of function calls and built-in tools: which calls are made, and what their results may be.

A model that is forced to call may still not do so; a missing call is not tested, and no failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from harness.checks.areas.create import JSON_FORMAT
from harness.checks.vocabulary import runs
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_settled,
    expect_status,
    finding,
    interaction_in,
    note,
    object_in,
)
from harness.checks.vocabulary.modes import (
    MODES,
    OF_A_TURN,
    STREAMED,
    STREAMS,
    create_in,
    find_lacking,
    list_ends,
    read_end,
    read_ends,
    repeat_in_each_mode,
)
from harness.checks.vocabulary.shared import FORCED, HELLO, WEATHER
from harness.checks.vocabulary.streams import (
    completion,
    cursor,
    deltas,
    events_in,
    expect_stream,
    is_stream,
    stream_id,
)
from harness.contract import compare_steps, read
from harness.contract.judge import agreement
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS
from harness.contract.judge.body import count_tokens
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.transcript import output_steps, output_text
from harness.kit.check import Exchanges, Part, Send, Steps, exercise, play_each, send, send_each, stop_exercise
from harness.outcome import Finding, Severity, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange
from harness.wire.bodies import as_object, object_or_none, write_sorted

REPORT = 46173
TICKET = "60482"
QUESTION = "How is the weather in Paris? Quote the number of its report."
TICKETED = f"{QUESTION} Quote the number of my ticket, too, which is {TICKET}."
ANSWERS: Mapping[str, Any] = {
    "string": f"Sunny, 20 degrees. Report {REPORT}.",
    "object": {"sky": "sunny", "degrees": 20.5, "report": REPORT},
    "list": [{"type": "text", "text": f"Sunny, 20 degrees. Report {REPORT}."}],
}
"""One result in each form that the schema allows."""


Call = Mapping[str, Any]


def calls_in(exchange: Exchange) -> list[dict[str, Any]]:
    """Return the pending function_call steps of an answer: those without a function_result in it."""
    return agreement.pending_calls(output_steps(interaction_in(exchange)))


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
    raise Unmet(f"the model called {name}, but the call has no id")


def result_of(call: Call, result: Any = ANSWERS["string"]) -> dict[str, Any]:
    """Build the function_result step that answers a call."""
    found: dict[str, Any] = {"type": "function_result", "call_id": call["id"], "result": result}
    if isinstance(call.get("name"), str):
        found["name"] = call["name"]
    return found


@exercise(requests=31, interactions=23, uses=(*MODES, "resume"))
def a_tool_loop(t: RequestBuilder) -> Steps:
    """A forced call, its result in every form and mode, an error as its result, and results that match no call.

    `retold` sends the whole conversation without its parent: a model that quotes the number of the question there
    quotes it wherever it has read the question. At the end a streamed turn is forced to call again.
    """
    asked: Exchange = yield Send(t.create(input=TICKETED, tools=[WEATHER], **FORCED))
    seen: Exchanges = {"asked": asked}
    parent = runs.id_of(asked)
    try:
        call = first_call(asked)
    except Unmet as unmet:
        return stop_exercise(seen, unmet.reason)
    if not parent:
        return stop_exercise(seen, "the interaction with the call has no id")
    body = {"tools": [WEATHER], "previous_interaction_id": parent}
    failure = {**result_of(call, "There is no such place."), "is_error": True}
    wrong = {**result_of(call), "call_id": "no-such-call"}
    question = {"type": "user_input", "content": [{"type": "text", "text": TICKETED}]}
    whole = [question, *output_steps(interaction_in(asked)), result_of(call)]
    yield from runs.poll_until_found(t, parent)  # `get.ok` judges when that is
    results = yield from send_each(
        retold=t.create(input=whole, tools=[WEATHER], store=False),
        failure=t.create(body, input=[failure]),
        bare=t.create(input=[result_of(call)], previous_interaction_id=parent),
        wrong_id=t.create(body, input=[wrong]),
        orphan=t.create(input=[result_of(call)], tools=[WEATHER]),
        empty=t.create(body, input=[result_of(call, "")]),
    )
    failures = repeat_in_each_mode(t, {**body, "input": [failure]}, results["failure"], OF_A_TURN)
    (answers, modes, again), streamed, failed = yield from play_each(
        (_answer_in_each_way(t, body, call), _answer_streamed_calls(t), failures)
    )
    seen |= {"forms": answers, "modes": modes, "again": again, "streamed_answered": streamed, **results}
    seen |= {"fetched": (yield from runs.poll_until_found(t, parent))[-1], "failures": failed, "stored": {}}
    answered = runs.id_of(answers["string"])
    if not answered:
        return stop_exercise(seen, "no turn with a result had an id")
    turn = {"input": QUESTION, "previous_interaction_id": answered}
    named = {name: found for name, answer in answers.items() if (found := runs.id_of(answer))}
    reads = [runs.poll_until_found(t, t.get(found, include_input=True)) for found in named.values()]
    toolless, *shown = yield from play_each((send(t.create(turn)), *reads))
    seen["stored"] = {name: look[-1] for name, look in zip(named, shown, strict=True)}
    if "stream" in t.capabilities:  # every run judges whether the call is made that this turn is forced to make
        yield from runs.read_whole_stream(t.create(turn, tools=[WEATHER], stream=True, **FORCED))
    return {**seen, "toolless": toolless}


def _answer_in_each_way(
    t: RequestBuilder, body: Mapping[str, Any], call: Call
) -> Part[tuple[Exchanges, Exchanges, Exchanges]]:
    """The result of a call in every form, then in every mode if the target takes it.

    Modes in which the model made the call again are tried twice: it may do so for once.
    """
    forms = {name: t.create(body, input=[result_of(call, value)]) for name, value in ANSWERS.items()}
    answers: Exchanges = yield from send_each(**forms)
    if not runs.status_of(answers["string"]):
        return answers, {}, {}
    turn = {**body, "input": [result_of(call)]}
    others = [
        repeat_in_each_mode(t, {**turn, "input": [result_of(call, ANSWERS[form])]}, answers[form], OF_A_TURN)
        for form in ("list", "object")
    ]
    asked = repeat_in_each_mode(
        t, turn, answers["string"], OF_A_TURN, fits=lambda end: str(REPORT) in output_text(end)
    )
    modes, listed, objects = yield from play_each((asked, *others))
    modes |= {f"as a list {mode}": answer for mode, answer in listed.items()}
    modes |= {f"as an object {mode}": answer for mode, answer in objects.items()}
    if not any(_makes_again(call, answer) for answer in modes.values()):
        return answers, modes, {}
    return answers, modes, (yield from create_in(t, turn, modes))


def _makes_again(call: Call, answer: Exchange) -> bool:
    """Whether an answer to the result of a call makes that call, and no other."""
    made = agreement.pending_calls(output_steps(read_end(answer)))
    return bool(made) and all(
        one.get("name") == call.get("name") and one.get("arguments") == call.get("arguments") for one in made
    )


def _answer_streamed_calls(t: RequestBuilder) -> Part[Exchanges]:
    """The answers to results of forced calls: of a stream and of a background stream, by `_STREAMED_CALLS`."""
    answered: Exchanges = {}
    if "stream" not in t.capabilities:
        return answered
    call: Mapping[str, Any] = {"input": QUESTION, "tools": [WEATHER], "stream": True, **FORCED}
    streamed = yield from runs.read_whole_stream(t.create(call))
    if turn := (yield from _answer_a_stream(t, streamed)):
        answered["plain"] = (yield from runs.poll_until_found(t, t.create(turn)))[-1]
        answered["in_a_stream"] = yield from runs.read_whole_stream(t.create(turn, stream=True))
    if "background" in t.capabilities:
        streamed = yield from runs.watch_run(t, t.create(call, background=True))
        if turn := (yield from _answer_a_stream(t, streamed)):
            answered["in_background"] = (yield from runs.poll_until_found(t, t.create(turn)))[-1]
    return answered


def _answer_a_stream(t: RequestBuilder, streamed: Exchange) -> Part[Mapping[str, Any]]:
    """The fields of a turn with the results of streamed calls; none if the stream brought no whole one."""
    ended = is_stream(streamed) and not streamed.truncated and completion(events_in(streamed)) is not None
    parent = stream_id(events_in(streamed)) if ended else ""  # a run that waits has ended its stream
    names = ("id", "name")  # without them no result can be sent, which another rule reports
    told = _streamed_calls(streamed)
    calls = [call for call in told if all(isinstance(call.get(key), str) and call[key] for key in names)]
    if not parent or not calls:
        return {}
    # Resume after the first piece of the arguments: every run compares it with the whole.
    pieces = [cursor(event) for event in deltas(events_in(streamed), "arguments_delta")]
    if "resume" in t.capabilities and pieces and pieces[0]:
        yield from runs.read_whole_stream(t.get(parent, stream=True, last_event_id=pieces[0]))
    return {"input": [result_of(call) for call in calls], "tools": [WEATHER], "previous_interaction_id": parent}


@exercise(requests=1, interactions=1)
def mixed_tools(t: RequestBuilder) -> Steps:
    """A create that declares a built-in tool and a function."""
    question = f"{_SEARCHED} {QUESTION}"  # every run judges the steps of both
    return {"mixed": (yield Send(t.create(input=question, tools=[{"type": "google_search"}, WEATHER])))}


@exercise(requests=2, interactions=2)
def a_format_beside_a_tool(t: RequestBuilder) -> Steps:
    """A forced call in a request for JSON, and its result in another request for JSON."""
    asked: Exchange = yield Send(t.create(input=QUESTION, tools=[WEATHER], response_format=JSON_FORMAT, **FORCED))
    if asked.status in CLIENT_ERROR:
        return stop_exercise({}, f"the target rejects `response_format` beside a tool: {format_answer(asked)}")
    result, parent = [result_of(first_call(asked))], runs.need_id(asked)
    body = {"input": result, "tools": [WEATHER], "response_format": JSON_FORMAT}
    return {"formatted": (yield Send(t.create(body, previous_interaction_id=parent)))}


def waits_for_the_result(asked: Exchange) -> Iterator[Finding]:
    need_calls(asked)
    if runs.status_of(asked) in agreement.CUT_SHORT:
        raise Unmet(f"the run ended as {runs.status_of(asked)}, so no call waits for the result")
    steps = output_steps(interaction_in(asked))
    yield from agreement.judge_waiting("tool.requires-action", runs.status_of(asked), steps)


def has_its_fields(asked: Exchange) -> Iterator[Finding]:
    yield from agreement.judge_call_fields(need_calls(asked))


def was_declared(asked: Exchange) -> Iterator[Finding]:
    yield from agreement.judge_declared(object_or_none(asked.request.body) or {}, need_calls(asked))


def fits_its_declaration(asked: Exchange) -> Iterator[Finding]:
    for call in need_calls(asked):
        arguments = call.get("arguments")
        if isinstance(arguments, dict) and not isinstance(arguments.get("location"), str):
            yield finding("a required argument is missing", "location: string", format_value(arguments))


def shows_the_call(asked: Exchange, fetched: Exchange) -> Iterator[Finding]:
    message, status = "GET shows another status than the create returned", runs.status_of(asked)
    if runs.status_of(fetched) != status:
        yield finding(message, status, runs.show_status(fetched))
    for difference in compare_steps(output_steps(interaction_in(asked)), output_steps(interaction_in(fetched))):
        yield finding(f"the stored steps differ: {difference}")


def inherits_no_tools(toolless: Exchange) -> Iterator[Finding]:
    if calls_in(toolless):
        yield finding("the model called a function that this turn did not declare", "no call", "one")


def ends_streams_waiting(tool: Exchange) -> Iterator[Finding]:
    if not _streamed_calls(tool):
        raise Unmet("the streamed model called no function")
    end = completion(events_in(tool))
    if end is None:
        yield finding("the stream has no interaction.completed", "one with requires_action", "none")
    else:
        yield from agreement.judge_waiting("tool.stream-status", end.get("status"), _streamed_calls(tool))


def streamed_call_is_whole(tool: Exchange, stored: Mapping[str, Exchange]) -> Iterator[Finding]:
    if not _streamed_calls(tool):
        raise Unmet("the streamed model called no function")
    yield from at("tool", _judge_streamed_calls(tool, stored.get("tool")))


def _judge_streamed_calls(stream: Exchange, stored: Exchange | None) -> Iterator[Finding]:
    """The calls of a stream must be whole, and those that GET returns; arguments that do not join differ, too."""
    joins = [one for one in read(stream).findings if one.rule == "stream.args-join"]
    yield from (replace(one, rule="", code="", cause=one.stable_code) for one in joins)
    for call in _streamed_calls(stream):
        lacking = [name for name in ("id", "name") if not isinstance(call.get(name), str) or not call[name]]
        if lacking:
            missing = " and no ".join(f"`{name}`" for name in lacking)
            yield finding(f"a call in the stream has no {missing}", f"a call with {missing}", format_value(call))
        if not joins and not isinstance(call.get("arguments"), dict):
            yield finding("the argument deltas form no object", "an object", format_value(call.get("arguments")))
    if stored is not None and not joins:
        yield from agreement.judge_streamed_calls(_streamed_calls(stream), interaction_in(stored))


def _streamed_calls(stream: Exchange) -> list[Call]:
    return [step for step in read(stream).streamed_steps if step.get("type") == "function_call"]


# --- tool_choice: which functions a model may call, must call or must not call

TIME: Mapping[str, Any] = {**WEATHER, "name": "get_time", "description": "The time of day in one place."}


@exercise(requests=4, interactions=4, uses=MODES)
def a_turn_without_calls(t: RequestBuilder) -> Steps:
    """A function that is declared but forbidden by tool_choice, in each mode."""
    body = {"input": QUESTION, "tools": [WEATHER], "generation_config": {"tool_choice": "none"}}
    answer: Exchange = yield Send(t.create(body))
    return {"answer": answer, "modes": (yield from repeat_in_each_mode(t, body, answer, fits=_has_no_call))}


@exercise(requests=5, interactions=5, uses=MODES)
def a_call_among_allowed(t: RequestBuilder) -> Steps:
    """Two declared functions, one of them allowed, and a question that needs the other; in each mode."""
    choice = {"tool_choice": {"allowed_tools": {"mode": "any", "tools": [WEATHER["name"]]}}}
    body = {"input": "What time is it in Paris?", "tools": [TIME, WEATHER], "generation_config": choice}
    answer: Exchange = yield Send(t.create(body))
    parent = (yield from _begin_a_chain(t)) if calls_in(answer) else ""

    def is_allowed(end: Mapping[str, Any]) -> bool:
        return all(call.get("name") == WEATHER["name"] for call in agreement.pending_calls(output_steps(end)))

    modes = yield from repeat_in_each_mode(t, body, answer, parent=parent, fits=is_allowed)
    return {"answer": answer, "modes": modes}


def _begin_a_chain(t: RequestBuilder) -> Part[str]:
    """An interaction that can be continued, as one that waits for its client cannot; `""` if there is none."""
    begun = (yield Send(t.create(input=HELLO))) if "chain" in t.capabilities else None
    return runs.id_of(begun) if begun is not None and runs.status_of(begun) == "completed" else ""


TRAINS: Mapping[str, Any] = {
    "type": "function",
    "name": "trains.find-next",
    "description": "The next trains from one place.",
    "parameters": {
        "type": "object",
        "properties": {
            "seats": {"type": "integer"},
            "direct": {"type": "boolean"},
            "stops": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["seats", "direct", "stops"],
    },
}
"""A function whose arguments are no texts, and whose name is no identifier of most languages."""


@exercise(requests=7, interactions=5, uses=MODES)
def a_needless_call(t: RequestBuilder) -> Steps:
    """A forced call where the question needs none, in each mode, and a GET of two streams.

    If the name of the function is refused, which servers may, one with a plain name is called. A mode in which no
    function is called, or without its required arguments, is tried twice.
    """
    body: Mapping[str, Any] = {"input": HELLO, "tools": [TRAINS], **FORCED}
    answer: Exchange = yield Send(t.create(body))
    if answer.status in CLIENT_ERROR:
        body = {**body, "tools": [WEATHER]}
        answer = yield Send(t.create(body))
    parent = (yield from _begin_a_chain(t)) if calls_in(answer) else ""
    bare = _find_bare(body, object_in(answer))

    def fits(end: Mapping[str, Any]) -> bool:
        return not calls_in(answer) or not (_has_no_call(end) or (_find_bare(body, end) and not bare))

    modes = yield from repeat_in_each_mode(t, body, answer, parent=parent, fits=fits)
    yield from runs.read_all(t, *filter(is_stream, modes.values()))  # every run compares arguments
    silent = [mode for mode, end in read_ends(modes) if not fits(end)]
    return {"answer": answer, "modes": modes, "again": (yield from create_in(t, body, silent, parent=parent))}


def _has_no_call(body: Mapping[str, Any]) -> bool:
    """Whether a run that ended in order called no function."""
    return body.get("status") == "completed" and not agreement.pending_calls(output_steps(body))


def _find_bare(request: Mapping[str, Any], body: Mapping[str, Any]) -> Call | None:
    """A pending call that lacks a parameter which its declaration in the request requires."""
    needed = {one["name"]: as_object(one.get("parameters")).get("required", ()) for one in request["tools"]}
    calls = agreement.pending_calls(output_steps(body))
    own = ((call, needed.get(str(call.get("name")), ())) for call in calls)
    return next((call for call, names in own if {*names} - {*as_object(call.get("arguments"))}), None)


def is_forced(answer: Exchange, modes: Mapping[str, Exchange], again: Mapping[str, Exchange]) -> Iterator[Finding]:
    if runs.status_of(answer) in agreement.CUT_SHORT:
        raise Unmet(f"the run ended as {runs.status_of(answer)}")
    body = interaction_in(answer)
    if not isinstance(body.get("steps"), list):
        raise Unmet("the response has no `steps`, which would show a call")
    yield from at("answer", agreement.judge_forced(body))
    if not calls_in(answer):
        return
    for mode in (mode for mode, body in read_ends(again) if _has_no_call(body) and mode in modes):
        message = f"no function is called {mode}, although `tool_choice` is `any`"
        lost = finding(message, expected="a function_call step, as in a plain create", actual="none, twice")
        yield replace(lost, code="tool.choice-any/mode").at(exchange=f"again[{mode}]", pointer="$.steps")
    request = object_or_none(answer.request.body) or {"tools": ()}
    for mode, end in read_ends(again) if _find_bare(request, body) is None else ():
        call = _find_bare(request, end)
        if call is not None and mode in modes and _find_bare(request, read_end(modes[mode])):
            words = ("the arguments, as in a plain create", f"{format_value(call)}, twice")
            lost = finding(f"the required arguments of a call are lost {mode}", *words)
            yield replace(lost, code="tool.choice-any/arguments").at(exchange=f"again[{mode}]", pointer="$.steps")


def calls_nothing(answer: Exchange, modes: Mapping[str, Exchange]) -> Iterator[Finding]:
    for place, mode, body in list_ends(answer, modes):
        for call in agreement.pending_calls(output_steps(body)):
            yield finding(f"a function was called{mode}", "no call", format_value(call), exchange=place)


def calls_what_is_allowed(answer: Exchange, modes: Mapping[str, Exchange]) -> Iterator[Finding]:
    need_calls(answer)
    for place, mode, body in list_ends(answer, modes):
        for call in agreement.pending_calls(output_steps(body)):
            if call.get("name") not in (WEATHER["name"], None, ""):  # one without a name breaks another rule
                expected, actual = str(WEATHER["name"]), format_value(call.get("name"))
                yield finding(f"the called function is not allowed{mode}", expected, actual, exchange=place)


# --- results sent back for function calls: in every form, for several calls at once, without storing

_TWO_CALLS = [
    {"type": "function_call", "id": "call_paris", "name": "get_weather", "arguments": {"location": "Paris"}},
    {"type": "function_call", "id": "call_rome", "name": "get_weather", "arguments": {"location": "Rome"}},
]

_SEVERAL = [WEATHER, {"type": "function", "name": "get_now", "description": "The date and time in UTC, now."}]
"""A server made for tests calls each function once; the call of one without parameters has empty arguments."""

_REPORTS = (46173, 57284, 68395)
"""The numbers of the reports that answer the first parallel calls."""


def _miss_several(made: str) -> Unmet:
    """The error for a model that makes too few calls in a turn, which is its right."""
    remedy = "with a model that makes several calls in one turn (`--model`)"
    return Unmet(f"{made}, not several", race_lost=True, remedy=remedy)


@exercise(requests=8, interactions=6, uses=MODES)
def parallel_calls(t: RequestBuilder) -> Steps:
    """An answer with two calls, turns with both results, and the same calls in each stream, read again by GET."""
    yield from runs.script(t, "two-calls", steps=_TWO_CALLS, status="requires_action")
    others = [{**call, "id": f"{call['id']}_again"} for call in _TWO_CALLS]
    yield from runs.script(t, "streamed-calls", steps=others, status="requires_action", times=len(STREAMS))
    text = "How is the weather in Paris and Rome, and what time is it? Ask at once, quote all reports. (two-calls)"
    asked: Exchange = yield Send(t.create(input=text, tools=_SEVERAL, **FORCED))
    made = calls_in(asked)
    calls = [call for call in made if isinstance(call.get("id"), str)]
    if len(calls) < 2 <= len(made):
        raise Unmet(f"of {len(made)} calls, {len(made) - len(calls)} have no id")
    if len(calls) < 2:
        return (yield from _count_lost_calls(t, asked))
    results = [result_of(call, f"Sunny. Report {number}.") for call, number in zip(calls, _REPORTS, strict=False)]
    results += [result_of(call) for call in calls[len(_REPORTS) :]]
    again = {"input": text.replace("two", "streamed"), "tools": _SEVERAL, **FORCED}
    parent = runs.id_of(asked)
    if not parent:
        seen = yield from _stream_calls(t, again, asked)
        return stop_exercise({"asked": asked, **seen}, "the interaction with the calls has no id")
    body = {"tools": _SEVERAL, "previous_interaction_id": parent}
    turn = t.create(body, input=results[::-1])  # each names its call
    answered = (yield from runs.poll_until_found(t, turn))[-1]
    in_order = (yield Send(t.create(body, input=results))) if answered.status in CLIENT_ERROR else None
    before = runs.id_of(answered) if runs.status_of(answered) == "completed" else ""
    due = _REPORTS[: len(made)]
    later = repeat_in_each_mode(
        t, {**body, "input": results[::-1]}, answered, OF_A_TURN,
        fits=lambda end: len(_list_read(due, end)) in (0, len(due)),
    )  # fmt: skip
    modes, seen = yield from play_each((later, _stream_calls(t, again, asked, before)))
    return {"asked": asked, **seen, "answered": answered, "in_order": in_order, "later": modes}


def _count_lost_calls(t: RequestBuilder, asked: Exchange) -> Steps:
    """A question for two calls in a stream; if it has them, as `controls` twice in plain creates, and for one."""
    missed = _miss_several(f"the model made {format_count(len(calls_in(asked)), 'call')}")
    body = {"input": "Ask how the weather is in Paris, and how in Rome, at once.", "tools": [WEATHER], **FORCED}
    streams = yield from create_in(t, body, {STREAMED})
    if not streams or len(_streamed_calls(streams[STREAMED])) < 2:
        raise missed
    sent = send_each(again=t.create(body), twice=t.create(body), one=t.create({**body, "input": QUESTION}))
    controls = [*(yield from sent).values()]
    seen: Exchanges = {"asked": asked, "streams": streams, "fetched": {}, "controls": controls}
    return stop_exercise(seen, missed.reason, race_lost=True, remedy=missed.remedy)


def _stream_calls(
    t: RequestBuilder, body: Mapping[str, Any], plain: Exchange, parent: str = ""
) -> Part[Exchanges]:
    """The create of several calls in each kind of stream, and what GET returns for it then, by mode."""

    def has_several(end: Mapping[str, Any]) -> bool:
        return len(agreement.pending_calls(output_steps(end))) > 1

    streams = yield from repeat_in_each_mode(t, body, plain, STREAMS, parent=parent, fits=has_several)
    ids = {mode: stream_id(events_in(one)) for mode, one in streams.items() if is_stream(one)}
    kept = {found: streams[mode] for mode, found in ids.items() if found and t.keeps}
    shown = dict(zip(kept, (yield from runs.poll_after_streams(t, kept)), strict=True))
    fetched = {mode: shown[found] for mode, found in ids.items() if found in shown}
    return {"streams": streams, "fetched": fetched, "controls": []}


@exercise(requests=4, interactions=3, uses=("stream",))
def a_stateless_loop(t: RequestBuilder) -> Steps:
    """A tool loop that stores nothing and sends every step back, streamed, too, and without the signatures."""
    asked: Exchange = yield Send(t.create(input=QUESTION, tools=[WEATHER], store=False, **FORCED))
    call = first_call(asked)
    steps = output_steps(interaction_in(asked))
    question = {"type": "user_input", "content": [{"type": "text", "text": QUESTION}]}
    body = {"input": [question, *steps, result_of(call)], "tools": [WEATHER], "store": False}
    seen: Exchanges = {"asked": asked, "answered": (yield Send(t.create(body))), "streamed": None}
    if "stream" in t.capabilities and seen["answered"].status in SUCCESS:
        seen["streamed"] = yield from runs.read_whole_stream(t.create(body, stream=True))
    bare = [{name: value for name, value in step.items() if name != "signature"} for step in steps]
    signed = [step for step in steps if step.get("type") == "thought" and step.get("signature")]
    if not signed:
        return stop_exercise(seen, "no thought of the first turn had a signature")
    body = {**body, "input": [question, *bare, result_of(call)]}
    return {**seen, "unsigned": (yield Send(t.create(body)))}


def takes_the_result(
    asked: Exchange,
    forms: Mapping[str, Exchange],
    modes: Mapping[str, Exchange],
    again: Mapping[str, Exchange],
    streamed_answered: Mapping[str, Exchange],
    retold: Exchange,
) -> Iterator[Finding]:
    yield from at("forms[string]", _accepted_result(asked, forms["string"]))
    ends = (read_end(turn) for turn in (*forms.values(), *modes.values()) if turn.status in SUCCESS)
    texts = list(filter(None, map(output_text, ends)))
    if TICKET in output_text(object_in(retold)) and texts and not any(TICKET in text for text in texts):
        message = "no turn with the result of a call includes the question before the call"
        expected = f"{TICKET} in a text, as where the whole conversation is sent"
        actual, code = f"it is in none of {len(texts)} texts", "tool.result-ok/forgotten"
        yield finding(message, expected, actual, code=code, exchange="forms[string]", pointer="$.steps")
        yield finding("the whole conversation", code=code, severity=Severity.INFORMATION, exchange="retold")
    for way, answer in streamed_answered.items() if forms["string"].status in SUCCESS else ():
        expect = expect_stream if way == "in_a_stream" else expect_interaction
        for one in at(f"streamed_answered[{way}]", expect(answer)):
            message = f"the result of {_STREAMED_CALLS[way]}"
            yield replace(one, message=message, code="tool.result-ok/streamed")
    call = first_call(asked)
    turns = [turn for turn in (*forms.values(), *modes.values(), *again.values()) if turn.status in SUCCESS]
    if len(turns) > len(ANSWERS) and all(_makes_again(call, turn) for turn in turns):
        message = "each turn with the result of a call makes the same call again"
        words = message, f"a text in one of {len(turns)} turns", "the same call in each"
        yield finding(*words, code="tool.result-ok/loop", exchange="forms[string]")
    if not all(output_text(object_in(answer)) for answer in forms.values()):
        return
    for mode in (mode for mode in again if _makes_again(call, modes[mode]) and _makes_again(call, again[mode])):
        message = f"a turn with the result of a call makes the same call again {mode}"
        words = message, "an answer, as in a plain turn", "the same call, twice of two times"
        yield finding(*words, code="tool.result-ok/again", exchange=f"again[{mode}]")


_STREAMED_CALLS = {
    "plain": "a call that was streamed is not accepted",
    "in_a_stream": "a call that was streamed is not accepted in a stream",
    "in_background": "a call that was streamed in the background is not accepted",
}


def takes_every_form(
    asked: Exchange,
    forms: Mapping[str, Exchange],
    modes: Mapping[str, Exchange],
    stored: Mapping[str, Exchange],
    empty: Exchange,
) -> Iterator[Finding]:
    for name, answer in forms.items():
        yield from at(f"forms[{name}]", _accepted_result(asked, answer))
    if forms["string"].status in SUCCESS and empty.status in CLIENT_ERROR:  # no source shows one
        message, refused = "the empty string of a function without a result is rejected", format_answer(empty)
        code, mild = "tool.result-forms/empty", Severity.NON_STRICT
        yield finding(message, "2xx, as for another string", refused, code=code, severity=mild, exchange="empty")
    yield from _expect_accepted("modes", modes)
    kept = {name: str(REPORT) in str(agreement.list_given(body)) for name, body in read_ends(stored)}
    for name in (name for name in kept if not kept[name] and any(kept.values())):
        message = f"the stored input lacks a result in the form of {_FORMS[name]}"
        expected, actual = f"{REPORT}, as for another form", "an input without it"
        code, place = "tool.result-forms/unstored", f"stored[{name}]"
        yield finding(message, expected, actual, code=code, exchange=place, pointer="$.steps")
    answers = [(f"forms[{name}]", f"in the form of {_FORMS[name]}", answer) for name, answer in forms.items()]
    answers += [(f"modes[{mode}]", f"that is sent {mode}", answer) for mode, answer in modes.items()]
    quotes = [_quotes_the_report(answer) for _, _, answer in answers]
    # Results whose number the text must quote, until a text without it proves anything.
    for (place, what, _), quoted in zip(answers, quotes, strict=True) if quotes.count(True) >= 2 else ():
        if quoted is False:
            message = f"the model does not read a result {what}"
            unread = finding(message, expected=f"{REPORT} in the text, as for another", actual="a text without it")
            yield replace(unread, code="tool.result-forms/unread").at(exchange=place, pointer="$.steps")


_FORMS = {"string": "a string", "object": "an object", "list": "a list"}


def _quotes_the_report(answer: Exchange) -> bool | None:
    """Whether the text of a completed answer has the number of its function's result; None without such a text."""
    body = read_end(answer) if answer.status in SUCCESS else {}
    text = output_text(body) if body.get("status") == "completed" else ""
    return str(REPORT) in text if text else None


def is_final(forms: Mapping[str, Exchange]) -> Iterator[Finding]:
    yield from at("forms[string]", expect_settled(forms["string"]))


def takes_a_failure(asked: Exchange, failure: Exchange, failures: Mapping[str, Exchange]) -> Iterator[Finding]:
    yield from at("failure", _accepted_result(asked, failure))
    yield from _expect_accepted("failures", failures)


def takes_them_together(
    asked: Exchange, answered: Exchange, in_order: Exchange | None, later: Mapping[str, Exchange]
) -> Iterator[Finding]:
    if in_order is not None and in_order.status in SUCCESS:
        message = "the results of parallel calls are accepted in the order of their calls alone"
        fixed = finding(message, expected="2xx, as each result names its call", actual=format_answer(answered))
        yield replace(fixed, code="tool.parallel/order").at(exchange="answered")
        return
    calls = [write_sorted([call.get("name"), call.get("arguments")]) for call in calls_in(asked)]
    if len(set(calls)) < len(calls):
        same = "two calls of one response are the same", "other arguments, or another function"
        yield finding(*same, "the same call twice", code="tool.parallel/same").at(exchange="asked")
    yield from at("answered", _accepted_result(asked, answered))
    yield from _expect_accepted("later", later)
    due = _REPORTS[: len(calls_in(asked))]
    ends = {f"later[{mode}]": (f" {mode}", body) for mode, body in read_ends(later)}
    for place, (mode, body) in {"answered": ("", object_in(answered)), **ends}.items():
        told = _list_read(due, body)
        if told and len(told) < len(due):
            message = f"of the results of parallel calls the model reads only some{mode}"
            expected, actual = (" and ".join(map(str, numbers)) for numbers in (due, told))
            lost = finding(message, expected=f"{expected} in the text", actual=f"only {actual}")
            yield replace(lost, code="tool.parallel/unread").at(exchange=place, pointer="$.steps")
            return


def _list_read(due: Sequence[int], body: Mapping[str, Any]) -> list[int]:
    """The numbers of reports that the text of a completed turn quotes."""
    text = output_text(body) if body.get("status") == "completed" else ""
    return [number for number in due if str(number) in text]


def have_their_own_ids(asked: Exchange, streams: Mapping[str, Exchange]) -> Iterator[Finding]:
    yield from at("asked", agreement.judge_call_ids(calls_in(asked)))
    for mode, streamed in _list_streams(streams):
        yield from at(f"streams[{mode}]", agreement.judge_call_ids(_streamed_calls(streamed), mode=f" {mode}"))


def _list_streams(streams: Mapping[str, Exchange]) -> list[tuple[str, Exchange]]:
    """The streams that were accepted and came to their end, by mode."""
    return [(mode, streams[mode]) for mode, _ in read_ends(streams) if is_stream(streams[mode])]


def streams_each_call(
    asked: Exchange, streams: Exchanges, fetched: Exchanges, controls: list[Exchange]
) -> Iterator[Finding]:
    if not streams:
        raise Unmet("the target returns no streams")
    first = next(iter(streams))
    yield from at(f"streams[{first}]", expect_stream(streams[first]))
    made = len(_streamed_calls(streams[first]))
    if made < 2:
        raise _miss_several(f"the streamed model made {format_count(made, 'call')}")
    if controls:
        yield from _judge_lost_calls(*map(read_end, (*controls, streams[first])))
    for mode, streamed in _list_streams(streams):
        place, calls = f"streams[{mode}]", _streamed_calls(streamed)
        yield from at(place, _judge_streamed_calls(streamed, fetched.get(mode)))
        if mode in fetched:
            stored = agreement.pending_calls(output_steps(interaction_in(fetched[mode])))
            if len(calls) < len(stored):
                counts = f"{format_count(len(stored), 'call')}, as GET returns", str(len(calls))
                yield finding(f"a call that GET returns is not streamed {mode}", *counts, exchange=place)
    request = object_or_none(asked.request.body) or {"tools": ()}
    bare = [_find_bare(request, end) for _, end in read_ends(streams)]
    if len(bare) > 1 and all(bare) and _find_bare(request, interaction_in(asked)) is None:
        message = "each stream of several calls lacks required arguments, and a plain create does not"
        lost = finding(message, "the required arguments", format_value(bare[0]), pointer="$.steps")
        yield replace(lost, code="tool.stream-parallel/arguments").at(exchange=f"streams[{first}]")


def _judge_lost_calls(*ends: Mapping[str, Any]) -> Iterator[Finding]:
    """A model may make one call of two, and pay for one, or for thoughts, too: then no two counts are equal."""
    shown, more, least, told = (
        [{**call, "id": ""} for call in agreement.pending_calls(output_steps(end))] for end in ends
    )
    counted, other, alone, both = (count_tokens(end, "output") for end in ends)
    is_lost = shown == more == told[:1] and len(least) == 1 and not output_text(ends[0])
    if is_lost and 0 < alone <= 0.7 * both and counted == other == both:
        message = "a plain create shows one of the calls that the same create has in a stream, and counts them all"
        actual = f"one call for {counted} output tokens: the stream counts {both}, a question for one {alone}"
        lost = finding(message, format_count(len(told), "call"), actual, pointer="$.steps")
        yield replace(lost, code="tool.stream-parallel/plain").at(exchange="controls[0]")


def _expect_accepted(name: str, modes: Mapping[str, Exchange]) -> Iterator[Finding]:
    for mode, answer in modes.items():
        yield from at(f"{name}[{mode}]", expect_status(answer, accepts=SUCCESS))


def _accepted_result(asked: Exchange, answer: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(answer)
    if answer.status not in SUCCESS:
        return
    yield from agreement.judge_own_id("", runs.id_of(answer), runs.id_of(asked))
    if calls_in(answer):
        yield note("the model called again")


# --- tool search: a function whose loading is deferred, which the model must find before it calls it

TOOLS = [{"type": "tool_search"}, {**WEATHER, "defer_loading": True, "short_description": "Weather."}]


@exercise(requests=5, interactions=3)
def a_tool_search(t: RequestBuilder) -> Steps:
    """A question that needs a deferred function, streamed and not, and the result of the call that follows."""
    asked: Exchange = yield Send(t.create(input=QUESTION, tools=TOOLS, **FORCED))
    streamed: Exchange = yield Send(t.create(input=QUESTION, tools=TOOLS, stream=True, **FORCED))
    seen: Exchanges = {"asked": asked, "streamed": streamed}
    yield from runs.read_all(t, asked, streamed)
    calls = [call for call in calls_in(asked) if isinstance(call.get("id"), str)] if asked.succeeded else []
    if not calls or not runs.id_of(asked):
        return stop_exercise(seen, "the search returned no call with an id")
    results = [result_of(call) for call in calls]
    body = {"input": results, "tools": TOOLS, "previous_interaction_id": runs.id_of(asked)}
    return {**seen, "answered": (yield Send(t.create(body)))}


@exercise(requests=2, interactions=2)
def a_stateless_tool_search(t: RequestBuilder) -> Steps:
    """A search that is not stored, and all its steps sent back with the result of the call."""
    asked: Exchange = yield Send(t.create(input=QUESTION, tools=TOOLS, store=False, **FORCED))
    steps = output_steps(interaction_in(asked))
    if not _of_type(steps, "tool_search_call"):
        raise Unmet("the model did not search for tools")
    first_call(asked)
    question = {"type": "user_input", "content": [{"type": "text", "text": QUESTION}]}
    given = [question, *steps, *(result_of(call) for call in calls_in(asked) if call.get("id"))]
    return {"asked": asked, "answered": (yield Send(t.create(input=given, tools=TOOLS, store=False)))}


def is_paired(asked: Exchange, streamed: Exchange) -> Iterator[Finding]:
    for name, steps in _searches(asked, streamed).items():
        waiting: list[Any] = []
        for step in _of_type(steps, "tool_search_call", "tool_search_result"):
            call_id = step.get("call_id")
            if step["type"] == "tool_search_call":
                waiting.append(step.get("id"))
            elif call_id in waiting:
                waiting.remove(call_id)
            else:
                named = format_value(waiting), format_value(call_id)
                yield finding("a result names no earlier search", *named, exchange=name)
        for call_id in waiting:
            message = "the search has no result"
            yield finding(message, "a tool_search_result", format_value(call_id), exchange=name)


def loads_what_is_declared(asked: Exchange, streamed: Exchange) -> Iterator[Finding]:
    declared = str(WEATHER["name"])
    for place, steps in _searches(asked, streamed).items():
        results = (step.get("result") for step in _of_type(steps, "tool_search_result"))
        for loaded in (one for result in results if isinstance(result, list) for one in result):
            name = loaded.get("name") if isinstance(loaded, dict) else loaded
            if name != declared:
                message = "the search loaded a function that the request does not declare"
                yield finding(message, declared, format_value(name), exchange=place)


def waits_for_nobody(asked: Exchange, streamed: Exchange, answered: Exchange) -> Iterator[Finding]:
    _searches(asked, streamed)
    if runs.status_of(asked) == "requires_action" and not calls_in(asked):
        yield finding("the search waits for the client", "a function call", "no call is pending")
    yield from at("answered", expect_interaction(answered))


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


# --- tools that the server runs itself, using search, which every target with such tools has


_SEARCHED = "Search the web: who won the latest chess world championship?"


@exercise(requests=7, interactions=4, uses=(*MODES, "resume"))
def a_search(t: RequestBuilder) -> Steps:
    """A question that makes the model use the search tool, in each mode; streams are read by GET and resumed.

    Every run compares these readings.
    """
    body = {"input": _SEARCHED, "tools": [{"type": "google_search"}]}
    answer: Exchange = yield Send(t.create(body))
    searched = _has_searched(object_in(answer))
    modes = yield from repeat_in_each_mode(t, body, answer, fits=lambda end: _has_searched(end) is searched)
    streams = [one for one in modes.values() if is_stream(one)]
    yield from runs.read_all(t, *streams)
    for streamed in streams[:2]:
        events = events_in(streamed)
        stop = next((cursor(event) for event in events if event.get("event_type") == "step.stop"), None)
        found = stream_id(events) if completion(events) is not None else ""
        if "resume" in t.capabilities and found and stop:  # after the stop of its first step
            yield from runs.read_whole_stream(t.get(found, stream=True, last_event_id=stop))
    return {"answer": answer, "modes": modes}


def searches_itself(answer: Exchange, modes: Mapping[str, Exchange]) -> Iterator[Finding]:
    for place, mode, body in list_ends(answer, modes):
        if body.get("status") == "requires_action":
            message = f"the search waits for the client{mode}"
            yield finding(message, "a completed search", "requires_action", exchange=place)
        for call in agreement.pending_calls(output_steps(body)):
            message = f"the model called a function{mode}, although none was declared"
            yield finding(message, "no function_call", format_value(call.get("name")), exchange=place)
    ends = [("", interaction_in(answer)), *read_ends(modes)]
    done = [(mode, body) for mode, body in ends if body.get("status") == "completed"]
    where = find_lacking({mode: _has_searched(body) for mode, body in done})
    if where:
        message = f"every other response to this question shows a search, but none {where} does"
        yield finding(message, "a google_search_call step", "none", code="tool.search/lost", exchange="answer")


_SEARCH = ("google_search_call", "google_search_result")


def _has_searched(body: Mapping[str, Any]) -> bool:
    """Whether a run shows a search, and does not wait for its client."""
    return body.get("status") != "requires_action" and bool(_of_type(output_steps(body), *_SEARCH))


def search_has_both_halves(answer: Exchange, modes: Mapping[str, Exchange]) -> Iterator[Finding]:
    interaction_in(answer)
    searched = False
    for place, mode, body in list_ends(answer, modes):
        calls, results = (_of_type(output_steps(body), kind) for kind in _SEARCH)
        searched |= bool(calls or results)
        ids = [call.get("id") for call in calls]
        for result in results:
            if result.get("call_id") not in ids:
                named = format_value(ids), format_value(result.get("call_id"))
                yield finding(f"a result names no call{mode}", *named, exchange=place)
        if calls and not results:
            yield finding(f"the search has no result{mode}", "a google_search_result step", "none", exchange=place)
    if not searched:
        raise Unmet("the model did not search")
