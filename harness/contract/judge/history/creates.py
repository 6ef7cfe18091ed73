"""Judges creates, and the requests that end an interaction: cancel and delete.

`HistoryJudge` calls these functions; `judge_create` adds the new interaction to the state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from harness.contract.data import json_parse
from harness.contract.data.assembly import assemble_steps
from harness.contract.data.transcript import output_of
from harness.contract.judge import agreement
from harness.contract.judge.agreement import judge_cancelled, judge_identity, judge_own_output
from harness.contract.judge.answer import is_refusal, is_success, judge_json_object, judge_stream_label
from harness.contract.judge.history.history_state import HistoryState, Intent, InteractionModel, take_events
from harness.contract.judge.history.looks import judge_calls, judge_constant, open_reading
from harness.contract.judge.reading import read
from harness.contract.judge.replies import CLIENT_ERROR, FOREIGN_CHAIN, judge_reply
from harness.contract.judge.roots import judge_incomparable
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.tables.lifecycle import RUNNING
from harness.outcome import Finding, Severity
from harness.wire import Exchange

Json = dict[str, Any]


def judge_create(state: HistoryState, exchange: Exchange, intent: Intent) -> None:
    """Judge the answer to a create, and learn what it created."""
    request = dict(json_parse.as_object(json_parse.loads(exchange.request.body).value))
    parent = state.find(request.get("previous_interaction_id"))
    if intent.foreign:
        state.decide_reply(FOREIGN_CHAIN if "previous_interaction_id" in request else "store.isolation", exchange)
        return
    if intent.refused_by:
        state.decide_reply(intent.refused_by, exchange)
    elif state.sole_client and intent.legal:
        _judge_status(state, exchange, request, parent)
    if not is_success(exchange):
        return
    model = _learn(state, exchange, request, parent)
    if not intent.refused_by and (parent is None or parent.there):
        _judge_accepted(state, exchange, request, model)


def _judge_status(state: HistoryState, exchange: Exchange, request: Json, parent: InteractionModel | None) -> None:
    """Judge the status of the response to a legal create by the rule about it, if there is one."""
    if exchange.status in {*CLIENT_ERROR, 501} and not request.keys() <= _PROMISED:
        return  # it asks for something that a target need not offer
    if parent is None:
        rule = "bg.create" if request.get("background") is True else "create.ok"
    elif parent.gone:
        rule = "del.chain-after"
    elif not parent.stored:
        rule = "store.false-chain"
    elif parent.running:
        rule = "chain.running"
        if is_success(exchange) and not state.is_certain(parent):
            parent.suspicion = rule
            return
    elif _brings_results(request):
        rule = "tool.result-ok"
    elif parent.status != "completed":
        return
    else:
        rule = "chain.after-settled" if parent.background else "chain.ok"
    may_be_empty = rule in ("del.chain-after", "store.false-chain", "chain.running")
    if state.decide_reply(rule, exchange) or not exchange.succeeded or may_be_empty or is_success(exchange):
        return
    actual = format_answer(exchange)
    state.decide(rule, [Finding(rule, "a valid create was rejected", "an interaction", actual)])


_PROMISED = frozenset(
    {"model", "agent", "input", "stream", "background", "store", "previous_interaction_id", "tools"}
)
"""The members of a create that rules promise something of; only a target that calls functions is sent `tools`."""


def _brings_results(request: Json) -> bool:
    given = request.get("input")
    steps = json_parse.objects_in(given if isinstance(given, list) else [given])
    return any(step.get("type") == "function_result" for step in steps)


def _learn(
    state: HistoryState, exchange: Exchange, request: Json, parent: InteractionModel | None
) -> InteractionModel:
    """Record a new interaction, as the answer to its create shows it."""
    reading = read(exchange)
    identity = reading.id or ""
    if identity:
        state.decide("create.id-unique", agreement.judge_new_id(state.given, identity))
        state.given.add(identity)
    known = state.find(identity)
    if known is not None and not state.sole_client:
        return known
    model = state.learn(InteractionModel(identity, request.get("background") is True, parent=parent))
    model.asked = request
    model.stored = state.stores and request.get("store") is not False
    model.limited = any(
        isinstance(config := request.get(name), dict) and config.get(limit) is not None
        for name, limit in (("generation_config", "max_output_tokens"), ("agent_config", "max_total_tokens"))
    )
    model.status = reading.status or ""
    if reading.stream is not None:
        model.streamed_only = True
        state.decide("bg.transition", agreement.judge_changes(reading.stream.statuses))
        for event in reading.events:
            if isinstance(shown := event.get("interaction"), dict):
                judge_constant(state, model, shown)
        state.judgement.add(take_events(model.timeline, open_reading(model, None), reading.events))
        if model.settled and model.timeline.whole:
            model.steps, model.source = assemble_steps(model.timeline.events, state.contract), "stream.equals-get"
    elif reading.interaction is not None:
        body = reading.interaction
        model.updated = body.get("updated")
        judge_constant(state, model, body)
        if model.status not in RUNNING:
            model.steps, model.source = json_parse.as_list(body.get("steps")), "get.matches-post"
            model.usage = body.get("usage")
    return model


def _judge_accepted(state: HistoryState, exchange: Exchange, request: Json, model: InteractionModel) -> None:
    if not state.sole_client:
        return
    body, stream, parent = read(exchange).interaction, read(exchange).stream, model.parent
    if request.get("stream") is True:
        state.decide("http.ct-stream", judge_stream_label(exchange))
    else:
        state.decide("create.no-stream-json", judge_json_object(exchange))
    if model.stored:
        # Whether the answer names what it stored. A reader that drops early has only the first event for that.
        rule = "bg.create" if model.background else "create.id"
        began = None if stream is None else stream.created
        if stream is None or began is not None or not stream.findings:  # else they say why no event names it
            state.decide(rule, agreement.judge_id(rule, model.id if began is None else began.get("id")))
    if parent is not None and model.stored:
        state.decide("chain.ok", agreement.judge_own_id("chain.ok", model.id, parent.id))
    if parent is not None and body is not None:
        model.echoed = body.get("previous_interaction_id") == parent.id
        if parent.steps:
            state.decide("chain.own-steps", agreement.judge_own_steps({"steps": parent.steps}, body))
    if body is not None and not model.background:
        state.decide("create.final", agreement.judge_settled("create.final", body))
    # Events that cannot be read are reported, and leave no steps to judge.
    whole = body is not None or (model.timeline.whole and not any(judge_incomparable(exchange)))
    _judge_output(state, request, model, streamed=body is None, whole=whole)


def _judge_output(
    state: HistoryState, request: Json, model: InteractionModel, *, streamed: bool, whole: bool
) -> None:
    """Whether the steps that were seen fit the status with which the run ended."""
    steps = model.steps or []
    if whole and model.status == "completed" and request.keys() <= _PROMISED and not _brings_results(request):
        rule = "create.completed-has-output"
        found = list(agreement.judge_result({"steps": steps}, rule))
        if model.background and not streamed:  # one that did not wait for the run has no other fault
            found = [replace(one, cause="bg.at-once") for one in found]
        state.decide(rule, found)
    earlier, turn = json_parse.objects_in(request.get("input")), model.parent
    while turn is not None:
        earlier, turn = [*earlier, *json_parse.objects_in(turn.steps)], turn.parent
    own = [step for step in output_of(json_parse.objects_in(steps)) if step.get("type") == "function_call"]
    if earlier and own:
        state.decide("tool.ids-unique", agreement.judge_call_ids(own, earlier))
    if model.settled:
        judge_calls(state, model, {"status": model.status, "steps": steps}, whole=whole, streamed=streamed)
    if model.settled and agreement.pending_calls(steps):
        rule = "tool.stream-status" if streamed else "tool.requires-action"
        state.decide(rule, agreement.judge_waiting(rule, model.status, steps))


_RUNNING = ("in_progress", "queued")
"""What the answer to a cancel that came in time may show, because it may take effect a little later."""


def judge_cancel(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge a cancel."""
    if not model.there:
        state.decide_reply("del.cancel-after" if model.gone else "cancel.unknown", exchange)
    elif model.running and model.background:
        _judge_in_time(state, model, exchange)
    elif model.settled:  # it is refused, or changes nothing
        if model.status != "cancelled":
            rule = "cancel.settled" if model.background else "cancel.foreground"
            state.decide(rule, [*judge_reply(rule, exchange), *judge_late_cancel(rule, exchange)])
        if is_success(exchange) and read(exchange).status is not None:
            _judge_kept(state, model, exchange)


def judge_cancel_look(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge the run in the answer to a cancel, where other clients may have changed it before."""
    body = read(exchange).interaction
    if body is None or state.decide("bg.same-id", judge_identity("bg.same-id", model.id, body.get("id"))):
        return
    judge_constant(state, model, body)
    if model.settled:
        _judge_kept(state, model, exchange)


def _judge_in_time(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge the cancel of a run that was in progress at the last look: it is cancelled, or had just ended."""
    if is_refusal(exchange) and not state.is_certain(model):
        model.suspicion = "cancel.ok"
        return
    if not is_success(exchange):
        message, actual = "a run in progress cannot be canceled", format_answer(exchange)
        state.decide("cancel.ok", [Finding.from_code("cancel.ok/refused", message, "2xx", actual)])
        return
    status = read(exchange).status
    body = read(exchange).interaction
    wrong = state.decide("cancel.ok", judge_cancel_answer(exchange, model.id))
    judge_constant(state, model, body or {})
    if body is not None and not wrong:
        model.told = body
        if model.growing is not None:
            state.decide("bg.grows", judge_own_output(body, model.growing))
    if status is None:
        model.cancelled = True
        return
    if status in (*_RUNNING, "cancelled") or state.is_certain(model):
        model.cancelled, model.in_time = True, state.deterministic or status == "cancelled"
    if model.cancelled and status not in _RUNNING:
        state.decide("cancel.state", judge_cancelled(status))
    if status == "cancelled":
        model.status = status


def judge_cancel_answer(exchange: Exchange, identity: str) -> Iterator[Finding]:
    """The body that answers an accepted cancel must be the interaction; one that was cut lacks nothing."""
    reading = read(exchange)
    if reading.status is None and exchange.complete:
        actual = format_answer(exchange)
        message = "the response is not an interaction"
        yield Finding.from_code("cancel.ok/no-interaction", message, "an object with a status", actual)
    elif (shown := (reading.interaction or {}).get("id")) not in (None, identity):
        yield Finding.from_code(
            "cancel.ok/another", "the response is another interaction", identity, format_value(shown)
        )


def _judge_kept(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge the status that a cancel shows of what was over before."""
    status = read(exchange).status
    rule = "cancel.keeps-background-result" if model.background else "cancel.keeps-result"
    message = "a cancel changed a settled run"
    changed = Finding(rule, message, format_value(model.status), format_value(status))
    state.decide(rule, [changed] if status != model.status else [])


def judge_late_cancel(rule: str, exchange: Exchange) -> Iterator[Finding]:
    """The answer to a cancel that comes too late must not say that it succeeded."""
    status, actual = read(exchange).status, format_answer(exchange)
    if status == "cancelled":
        yield Finding(rule, "a cancel returned a settled run as `cancelled`", "a refusal", actual)
    elif exchange.succeeded and status is None:
        message, severity = "accepted without an interaction", Severity.INFORMATION
        yield Finding(rule, message, "a refusal", actual, severity=severity)


def judge_delete(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge a delete."""
    if not model.there:
        state.decide_reply("del.twice" if model.gone else "del.unknown", exchange)
        return
    if model.running:
        state.decide_reply("del.running", exchange)
    else:
        state.decide("del.ok", [*judge_reply("del.ok", exchange), *judge_deleted(exchange)])
    if is_success(exchange):
        model.forget()


def judge_deleted(exchange: Exchange) -> Iterator[Finding]:
    """The answer to a delete need not say anything."""
    if exchange.succeeded and exchange.body.strip() and read(exchange).json != {}:
        message, actual = "the response has more fields than necessary", format_answer(exchange)
        yield Finding("del.ok", message, "{} or no body", actual, severity=Severity.NON_STRICT)
