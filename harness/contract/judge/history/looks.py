"""Judges reads of an interaction, whole or as a stream: each must agree with what was seen before.

`HistoryJudge` finds the interaction and calls these; they change its model.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from harness.contract.data.assembly import assemble_steps
from harness.contract.data.json_parse import objects_in
from harness.contract.data.transcript import USER_INPUT, as_steps, count_given, output_steps, text_of
from harness.contract.judge import agreement
from harness.contract.judge.answer import is_refusal, is_success
from harness.contract.judge.finding_log import place_finding
from harness.contract.judge.history.history_state import (
    PLAIN,
    HistoryState,
    Intent,
    InteractionModel,
    PartialReading,
    judge_short,
    take_events,
)
from harness.contract.judge.reading import read
from harness.contract.judge.wording import format_answer
from harness.contract.tables.lifecycle import RUNNING, SETTLED, is_settled
from harness.contract.tables.protocol import PROTOCOL
from harness.outcome import Finding
from harness.wire import Exchange

GRACE = 5
"""How many looks may show the old status after a cancel that came in time; elsewhere a caller waits."""


def judge_look(state: HistoryState, model: InteractionModel, exchange: Exchange, intent: Intent) -> None:
    """Judge a GET of one interaction."""
    if not model.there:
        _judge_absent(state, exchange, intent, "del.gone" if model.gone else "store.false-get")
        return
    body = read(exchange).interaction
    if state.sole_client and intent.final:
        rule = "cancel.get-after" if model.status == "cancelled" else "get.ok"
        if not state.decide_reply(rule, exchange) and body is None:
            actual = format_answer(exchange)
            state.decide(rule, [Finding(rule, "a GET returned no interaction", "the interaction", actual)])
    if not is_success(exchange) or body is None:
        return
    if state.decide("bg.same-id", agreement.judge_identity("bg.same-id", model.id, body.get("id"))):
        return
    judge_constant(state, model, body)
    updated, model.updated = model.updated, body.get("updated")
    if updated is not None and model.updated is not None:
        state.decide("bg.updated", agreement.judge_updated([{"updated": updated}, body]))
    _judge_own_input(state, model, body, exchange)
    before = model.status
    judge_status(state, model, read(exchange).status or "", intent)
    told, model.told = model.told, None
    if told is not None:
        state.decide("bg.grows", agreement.judge_own_output(told, body))
    growing, model.growing = model.growing, body if model.running else None
    if growing is not None and output_steps(growing) and model.status not in agreement.CUT_SHORT:
        state.decide("bg.grows", agreement.judge_growth(growing, body))
    if state.sole_client and model.background and model.status in SETTLED:
        state.decide("bg.settles")
    elif state.sole_client and model.background and intent.awaited and model.running:
        state.decide("bg.settles", agreement.judge_end_status("bg.settles", model.status))
    if state.sole_client and model.parent is not None and not model.echoed:
        model.echoed = not state.decide("chain.echo", agreement.judge_echo(model.parent.id, [body]))
    if model.settled and is_settled(read(exchange).status or ""):  # else only a stream has shown its end
        with_input = (exchange.request.parameter("include_input") or "").lower() == "true"
        _judge_output(state, model, before, body, with_input)


def judge_early_look(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge a GET that returned before the stream of the create ended: its status may be older than that."""
    body = read(exchange).interaction
    if body is not None and is_success(exchange):
        if state.decide("bg.same-id", agreement.judge_identity("bg.same-id", model.id, body.get("id"))):
            return
        judge_constant(state, model, body)
        _judge_own_input(state, model, body, exchange)


def _judge_own_input(
    state: HistoryState, model: InteractionModel, body: dict[str, Any], exchange: Exchange
) -> None:
    """Judge the input that a GET shows: it is that of the create, and what was shown once stays."""
    with_input = (exchange.request.parameter("include_input") or "").lower() == "true"
    if not state.sole_client or "input" not in model.asked:
        return
    if with_input and body.get("input"):
        brought = [{"type": USER_INPUT, "content": body["input"]}]
        state.decide("get.own-input", agreement.judge_own_input(model.asked["input"], brought, "$.input"))
    if given := agreement.list_given(body):
        model.shows_input |= not with_input
        state.decide("get.own-input", agreement.judge_own_input(model.asked["input"], given))
        return
    # A server may show the input of settled runs alone, and a look may be older than the one before it.
    shows_steps = isinstance(body.get("steps"), list) and read(exchange).status not in RUNNING
    if model.shows_input and not with_input and shows_steps:
        message, expected = "GET no longer shows the input", "the input, as in an earlier GET"
        lost = place_finding("get.own-input/lost", message, expected, "none", "$.steps")
        state.decide("get.own-input", [lost])


def _judge_absent(state: HistoryState, exchange: Exchange, intent: Intent, rule: str) -> None:
    """Judge the answer to a look at what is not there, or should not be; what is found now was stored."""
    settled = intent.final or (rule == "store.false-get" and is_success(exchange))
    if state.sole_client and state.stores and settled:
        state.decide_reply(rule, exchange)


def judge_constant(state: HistoryState, model: InteractionModel, body: dict[str, Any]) -> None:
    """Judge the identity of an interaction: each view must repeat that of the first one."""
    if any(name in body and name in model.constant for name in agreement.CONSTANT):
        state.decide("get.constant", agreement.judge_constant(model.constant, body))
    shown = {name: body[name] for name in (*agreement.CONSTANT, "status") if body.get(name)}
    settles = is_settled(str(body.get("status"))) and not is_settled(str(model.constant.get("status", "")))
    model.constant = model.constant | shown if settles else shown | model.constant


def judge_status(
    state: HistoryState, model: InteractionModel, status: str, intent: Intent, *, streamed: bool = False
) -> None:
    """Judge a status that was shown: it must be able to follow the last one and reflect a cancel.

    `streamed`: by a stream. For a moment a look may show the state before an end that only a stream has shown.
    """
    before, was_streamed_only, model.read_on = model.status, model.streamed_only, False
    if model.streamed_only and model.settled and status in RUNNING and not state.deterministic:
        return
    model.status, model.streamed_only = status, streamed
    if model.cancelled:
        _judge_cancelled(state, model, before, intent)
    elif before and status:
        # A stream that ended with a pending call had the wrong status, which is judged there.
        may_wait = was_streamed_only and status == "requires_action"
        if not (may_wait and agreement.pending_calls(assemble_steps(model.timeline.events, state.contract))):
            state.decide(agreement.rule_of_change(before), agreement.judge_changes((before, status)))
    suspicion, model.suspicion = model.suspicion, ""
    if suspicion and model.running:  # else the run may have settled before the request came: nothing is proven
        state.decide(suspicion, [Finding(suspicion, _SUSPICIONS[suspicion], "a settled run", status)])


_SUSPICIONS = {
    "chain.running": "a run in progress was continued",
    "cancel.ok": "a cancel was rejected, and the run continues",
}


def _judge_cancelled(state: HistoryState, model: InteractionModel, before: str, intent: Intent) -> None:
    status = model.status
    was_shown, model.shown_cancelled = model.shown_cancelled, model.shown_cancelled or status == "cancelled"
    if before == "cancelled" and (was_shown or state.deterministic or status not in RUNNING):
        state.decide("cancel.stays", agreement.judge_stays((before, status)))
    elif status == "cancelled":
        state.decide("cancel.state")
    elif is_settled(status) and status != "failed" and not model.in_time:
        model.cancelled = False
    else:  # for a few looks it may be the status of before
        model.looks_since_cancel += 1
        late = intent.awaited or (intent.final and model.in_time and model.looks_since_cancel > GRACE)
        if late or is_settled(status):
            state.decide("cancel.state", agreement.judge_cancelled(status))


def _judge_output(
    state: HistoryState, model: InteractionModel, before: str, body: dict[str, Any], with_input: bool
) -> None:
    if before == model.status or not is_settled(before):
        _compare_output(state, model, body, with_input)
    if state.sole_client and model.background and model.status == "completed":
        own = drop_history(state, model, body)
        cut = model.limited and state.decide("create.cut-short", agreement.judge_cut_short(own))
        if not cut:
            known = {"steps": model.steps} if model.source == "get.same" else None
            lost = list(agreement.judge_result(own, known=known))
            if state.decide("bg.result", lost) and lost[0].code == "bg.result/lost":
                return  # later looks are compared with the last one that had it
    if state.sole_client:
        judge_calls(state, model, body)
    model.steps, model.usage, model.source = _read_steps(body), body.get("usage"), "get.same"
    model.with_input = with_input


def judge_calls(
    state: HistoryState,
    model: InteractionModel,
    body: dict[str, Any],
    *,
    whole: bool = True,
    streamed: bool = False,
) -> None:
    """Judge the calls of a settled run by the request of its create; `whole`: these are all its steps."""
    body = drop_history(state, model, body)
    steps = output_steps(body)
    if any(step.get("type") == "function_call" for step in steps):
        cause = "tool.stream-call" if streamed else ""
        lacking = [replace(found, cause=cause) for found in agreement.judge_call_fields(steps)]
        state.decide("tool.call-fields", lacking)
        state.decide("tool.declared", agreement.judge_declared(model.asked, steps))
    config = model.asked.get("generation_config")
    is_forced = isinstance(config, dict) and config.get("tool_choice") == "any"
    declares = any(tool.get("type") == "function" for tool in objects_in(model.asked.get("tools")))
    if whole and model.status not in agreement.CUT_SHORT and is_forced and declares:
        state.decide("tool.choice-any", agreement.judge_forced(body))


def _compare_output(state: HistoryState, model: InteractionModel, body: dict[str, Any], with_input: bool) -> None:
    if model.status == "cancelled" and not state.deterministic:  # what it has cost may be counted a moment later
        return
    known = {"steps": model.steps, "usage": model.usage}
    if model.source == "get.same":
        early = model.background and model.status == "completed"
        if early and state.decide("bg.result", agreement.judge_completed_early(known, body)):
            return
        shown = {"steps": _read_steps(body), "usage": body.get("usage")}
        same_question = model.with_input == with_input  # else the steps differ by the input
        state.decide("get.same", agreement.judge_same(known, shown, known if same_question else ("usage",)))
        if not same_question:
            state.decide("get.same", agreement.judge_same_output("get.same", known, body))
    elif model.source == "stream.equals-get" or (not model.source and model.timeline.whole):
        _compare_with_stream(state, model, body)
    elif model.source:
        one, other = (drop_history(state, model, view) for view in (known, body))
        state.decide(model.source, agreement.judge_same_output(model.source, one, other))
        state.decide("get.usage", agreement.judge_same_usage(known, body))


def drop_history(state: HistoryState, model: InteractionModel, body: dict[str, Any]) -> dict[str, Any]:
    """A body without the steps that the create sent, if they do not end on a turn of the user.

    The output of a run begins after the last step of the user. But a history may end on a step of the model, or on
    the result of a function, which the output of an agent has, too: only the create distinguishes them.
    """
    steps = _read_steps(body)
    given = model.asked.get("input")
    if not steps or not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        return body
    sent = as_steps(given, state.contract.contents)
    if len(sent) <= count_given(steps) or len(sent) > len(steps):
        return body
    for own, shown in zip(sent, steps, strict=False):  # what is shown may have more members than what was sent
        names = ("id", "call_id", "name", "signature")
        if (
            not isinstance(shown, dict)
            or own.get("type") != shown.get("type")
            or any(own.get(name) not in (None, shown.get(name)) for name in names)
            or text_of(own.get("content")) != text_of(shown.get("content"))
        ):
            return body
    return {**body, "steps": steps[len(sent) :]}


def _read_steps(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    steps = body.get("steps")
    return steps if isinstance(steps, list) else None


def _compare_with_stream(state: HistoryState, model: InteractionModel, body: dict[str, Any]) -> None:
    """Compare what the whole stream of an interaction adds up to with what GET shows."""
    if model.status in agreement.CUT_SHORT and not state.deterministic:  # a stream that was cut short shows less
        return
    streamed, body = assemble_steps(model.timeline.events, state.contract), drop_history(state, model, body)
    if model.status == "completed":
        state.decide("stream.text", agreement.judge_streamed_text(streamed, body))
    told = state.decide("tool.stream-call", agreement.judge_streamed_calls(streamed, body))
    told |= state.decide("stream.signature", agreement.judge_streamed_signatures(streamed, body))
    if not told:
        state.decide("stream.equals-get", agreement.judge_streamed_steps(streamed, body))
    ends = [event.get("interaction") for event in model.timeline.events if PROTOCOL.completes(event)]
    if ends and isinstance(ends[-1], dict):
        state.decide("stream.end-matches-get", agreement.judge_streamed_end(ends[-1], body))


# --- as a stream


def open_reading(model: InteractionModel, cursor: str | None) -> PartialReading:
    """A reading that begins after `cursor`, or at the first event."""
    position = 0 if cursor is None else model.timeline.position_after(cursor)
    return PartialReading(position, cursor)


def judge_stream_look(
    state: HistoryState, model: InteractionModel, exchange: Exchange, cursor: str | None, intent: Intent
) -> None:
    """Judge a GET with stream=true, from the start or after `cursor`, as far as it was read."""
    if not model.there:
        _judge_absent(state, exchange, intent, "del.gone-stream" if model.gone else "store.false-get")
    elif read(exchange).stream is None or not is_success(exchange):
        if exchange.succeeded and model.background and not model.cancelled:
            _judge_no_stream(state, model, exchange, cursor)  # a success that is none is wrong at any moment
        elif state.sole_client:
            judge_unopened(state, model, exchange, cursor, intent)
    else:
        reading = open_reading(model, cursor)
        judge_part(state, model, reading, read(exchange).events)
        judge_end(state, model, reading, exchange)


def judge_part(
    state: HistoryState, model: InteractionModel, reading: PartialReading, events: list[dict[str, Any]]
) -> None:
    """Judge the next events of a reading."""
    model.read_on = True
    if model.there:
        state.judgement.add(take_events(model.timeline, reading, events))


def judge_end(state: HistoryState, model: InteractionModel, reading: PartialReading, exchange: Exchange) -> None:
    """Judge how a reading ended, once all its events were judged."""
    stream = read(exchange).stream
    if exchange.truncated or stream is None or not model.there:
        return
    state.decide(_rule_of_opening(model, reading.after))
    if (named := read(exchange).id) is not None:
        nameless = any(shown is not None and shown.get("id") == "" for shown in (stream.created, stream.completed))
        found = agreement.judge_identity("resume.same-id", model.id, "" if nameless else named)
        state.decide("resume.same-id", found)
    for event in read(exchange).events:
        if isinstance(shown := event.get("interaction"), dict):
            judge_constant(state, model, shown)
    over = stream.completed is not None or (stream.whole and not reading.resumed)
    took_effect = model.cancelled and (model.in_time or model.status == "cancelled")
    if (
        over
        and took_effect
        and state.decide("cancel.stream-ends", agreement.judge_cancelled_end(read(exchange).events))
    ):
        return
    if reading.position is None:
        return
    if stream.whole:
        short = judge_short(model.timeline, reading)
        state.judgement.add(short)
        if short.findings:
            return
    if stream.completed is not None:
        judge_status(state, model, str(stream.completed.get("status", "")), PLAIN, streamed=True)
        if model.timeline.whole and model.steps is not None and model.source != "stream.equals-get":
            _compare_with_stream(state, model, {"steps": model.steps, "usage": model.usage})


def judge_unopened(
    state: HistoryState, model: InteractionModel, exchange: Exchange, cursor: str | None, intent: Intent
) -> None:
    """Judge a GET with stream=true that opened no stream of an existing interaction."""
    if not intent.final or (cursor is not None and model.timeline.position_after(cursor) is None):
        return
    refused = model.background or not is_refusal(exchange)
    if not state.decide_reply(_rule_of_opening(model, cursor), exchange) and refused:
        _judge_no_stream(state, model, exchange, cursor)


def _judge_no_stream(state: HistoryState, model: InteractionModel, exchange: Exchange, cursor: str | None) -> None:
    rule = _rule_of_opening(model, cursor)
    actual = format_answer(exchange)
    state.decide(
        rule, [Finding(rule, "GET opens no stream, although the interaction exists", "an event stream", actual)]
    )


def _rule_of_opening(model: InteractionModel, cursor: str | None) -> str:
    if not model.background:
        return "resume.foreground"
    return "resume.opens" if cursor is None else "resume.live"
