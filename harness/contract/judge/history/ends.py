"""Judges cancels and deletes: their answers here, their effects at the next look.

Layer 1. `HistoryJudge` finds the interaction and calls these; they change its model.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.contract.judge.agreement import judge_cancelled, judge_identity
from harness.contract.judge.answer import is_refusal, is_success
from harness.contract.judge.history.history_state import HistoryState
from harness.contract.judge.history.interaction_model import InteractionModel
from harness.contract.judge.history.looks import judge_constant
from harness.contract.judge.reading import read
from harness.contract.judge.replies import judge_reply
from harness.contract.judge.wording import format_answer, format_value
from harness.outcome import Finding, Severity
from harness.wire import Exchange

_RUNNING = ("in_progress", "queued")
"""What the answer to a cancel that came in time may show, because it may take effect a little later."""

# --- cancels


def judge_cancel(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge a cancel."""
    if not model.there:
        state.decide_reply("cancel.unknown", exchange)
    elif model.running and model.background:
        _judge_in_time(state, model, exchange)
    elif model.settled:
        _judge_late(state, model, exchange)


def judge_cancel_look(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge what the answer to a cancel shows, where others may have acted, too."""
    body = read(exchange).interaction
    if body is None or state.decide("bg.same-id", judge_identity("bg.same-id", model.id, body.get("id"))):
        return
    judge_constant(state, model, body)
    if model.settled:
        _judge_kept(state, model, exchange)


def _judge_in_time(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge the cancel of a run that was in progress at the last look: it is cancelled, or had just ended."""
    if not is_success(exchange):
        if state.is_certain(model) or not is_refusal(exchange):
            state.decide("cancel.ok", [_report_refusal(exchange)])
        else:
            model.suspicion = "cancel.ok"
        return
    status = read(exchange).status
    state.decide("cancel.ok", judge_cancel_answer(exchange, model.id))
    judge_constant(state, model, read(exchange).interaction or {})
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
    """The body that answers an accepted cancel must be the interaction."""
    reading = read(exchange)
    if reading.status is None:
        actual = format_answer(exchange)
        message = "the response is not an interaction"
        yield Finding.from_code("cancel.ok/no-interaction", message, "an object with a status", actual)
    elif reading.id not in (None, identity):
        yield Finding.from_code(
            "cancel.ok/another", "the response is another interaction", identity, str(reading.id)
        )


def _report_refusal(exchange: Exchange) -> Finding:
    message = "a run in progress cannot be canceled"
    return Finding.from_code("cancel.ok/refused", message, "2xx", format_answer(exchange))


def _judge_late(state: HistoryState, model: InteractionModel, exchange: Exchange) -> None:
    """Judge the cancel of a run that was over: it is refused, or changes nothing."""
    status = read(exchange).status
    if model.status != "cancelled":
        rule = "cancel.settled" if model.background else "cancel.foreground"
        state.decide(rule, [*judge_reply(rule, exchange), *judge_late_cancel(rule, exchange)])
    if is_success(exchange) and status is not None:
        _judge_kept(state, model, exchange)


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


# --- deletes


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
