"""Plays creates, chains and answers to function calls, and judges the responses.

Layer 4. Must not know streams that are read in parts; uses `looks` only to look again at a running parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contract import RUNNING, compare_steps, is_settled, read
from harness.contract.data.assembly import assembled
from harness.engine.search.playing import reads
from harness.engine.search.playing.answer import refused, says_nothing, succeeded
from harness.engine.search.playing.create_modes import (
    ILLEGAL,
    LEGAL,
    TOLERATED,
    UNKNOWN_ID,
    WEATHER,
    body_of,
    result_of,
)
from harness.engine.search.playing.interaction_model import Known
from harness.engine.search.streaming import absorb, text_law
from harness.engine.search.world import World
from harness.outcome import Severity
from harness.outcome.words import counted
from harness.strategies.operations import Operation
from harness.wire import Exchange

_CHAINS: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "background": {"background": True},
    "stream": {"stream": True},
}


def create(world: World, operation: Operation) -> None:
    """Play a create that must be accepted, or one that must be refused."""
    if operation.mode in ILLEGAL:
        _illegal(world, operation)
        return
    changes = {**LEGAL[operation.mode], **(operation.body or {})}
    rule = "bg.create" if changes.get("background") else "create.ok"
    _accepted(world, _ask(world, changes), changes, rule)


def chain(world: World, operation: Operation) -> None:
    """Play a create with a `previous_interaction_id`."""
    if operation.mode == "unknown":
        answer = _ask(world, {"previous_interaction_id": UNKNOWN_ID})
        _must_refuse(world, answer, "chain.unknown", "a parent that does not exist")
        return
    parent = world.subject(operation)
    if not parent.id:
        return
    changes = {**_CHAINS.get(operation.mode, {}), "previous_interaction_id": parent.id}
    if operation.mode == "foreign":
        answer = _ask(world, changes, key=world.another_key())
        _must_refuse(world, answer, "store.isolation", "a parent of another project")
        return
    _judge_chain(world, _ask(world, changes), parent, changes)


def answer(world: World, operation: Operation) -> None:
    """Play a create with the results of function calls, right or wrong."""
    if operation.mode == "orphan":
        asked = _ask(world, {"input": [result_of("call_nobody", "get_weather")], "tools": [WEATHER]})
        _must_refuse(world, asked, "tool.result-orphan", "a result without any call")
        return
    parent = world.subject(operation)
    calls = parent.calls
    if not parent.id or not calls:
        return
    results = [result_of(call["id"], str(call.get("name"))) for call in calls]
    if operation.mode == "wrong-id":
        results[0]["call_id"] = "call_nobody"
    changes: dict[str, Any] = {"previous_interaction_id": parent.id, "input": results, "tools": [WEATHER]}
    changes["stream"] = True if operation.mode == "stream" else None
    asked = _ask(world, changes)
    if not parent.there:
        _judge_chain(world, asked, parent, changes)
    elif operation.mode == "wrong-id":
        _must_refuse(world, asked, "tool.result-bad-id", "a result for a call that was never made")
    else:
        _accepted(world, asked, changes, "tool.result-ok", parent)


# --- judging


def _judge_chain(world: World, answer: Exchange, parent: Known, changes: Mapping[str, Any]) -> None:
    if parent.gone:
        _must_refuse(world, answer, "del.chain-after", "a deleted parent")
    elif not parent.stored:
        _must_refuse(world, answer, "store.false-chain", "a parent that was not stored")
    elif parent.running:
        _judge_running_parent(world, answer, parent)
    elif parent.status == "completed":
        _accepted(world, answer, changes, "chain.after-settled" if parent.background else "chain.ok", parent)
    elif succeeded(answer):
        _accepted(world, answer, changes, "chain.ok", parent)


def _judge_running_parent(world: World, answer: Exchange, parent: Known) -> None:
    if says_nothing(answer) or (refused(answer) and (answer.status or 0) in (200, 400)):
        return
    if succeeded(answer):
        if not world.certain(parent):
            reads.look(world, parent)
        if parent.running:
            world.note("chain.running", "a run in progress was continued", "400", answer.status)
        return
    world.note("chain.running", "continuing a run in progress is not answered 400", "400", answer.status)


def _must_refuse(
    world: World, answer: Exchange, rule: str, what: str, severity: Severity = Severity.BROKEN
) -> None:
    if not refused(answer) and not says_nothing(answer):
        world.note(rule, f"{what} was accepted", "a refusal", answer.status, severity)


def _illegal(world: World, operation: Operation) -> None:
    rule, changes = ILLEGAL[operation.mode]
    answer = _ask(world, changes)
    severity = Severity.NON_STRICT if operation.mode in TOLERATED else Severity.BROKEN
    _must_refuse(world, answer, rule, f"a create that is wrong ({operation.mode})", severity)
    if succeeded(answer):
        _learn(world, answer, changes, None)


def _ask(world: World, changes: Mapping[str, Any], *, key: str | None = None) -> Exchange:
    number = len(world.interactions)
    text = "Say hi." if world.same_input else f"Say hi to {number}."
    body = body_of(world.target.model, text, {**world.target.says, **changes})
    return world.send(world.target.request("POST", "interactions", body, key=key))


def _accepted(
    world: World, answer: Exchange, changes: Mapping[str, Any], rule: str, parent: Known | None = None
) -> None:
    """Judge the response to a create that must be accepted."""
    if not succeeded(answer):
        if not says_nothing(answer):
            world.note(rule, "a create that is right was refused", "200", f"{answer.status} {read(answer).error}")
        return
    known = _learn(world, answer, changes, parent)
    reading = read(answer)
    if reading.is_stream != bool(changes.get("stream")):
        rule = "http.ct-stream" if changes.get("stream") else "create.no-stream-json"
        world.note(
            rule, "the answer has the other form", "a stream" if changes.get("stream") else "JSON", "the other"
        )
    if known.stored and not known.id:
        world.note(
            "bg.create" if known.background else "create.id", "a stored interaction has no id", "an id", '""'
        )
    if parent is not None:
        _judge_child(world, answer, known, parent)
    if not known.background and not reading.is_stream and not known.settled:
        world.note("create.final", "a foreground create is not settled", "a settled status", known.status)
    if known.settled and _waits(known) and known.status == "completed":
        world.note(
            "tool.requires-action", "a call waits, and the status does not say so", "requires_action", known.status
        )


def _waits(known: Known) -> bool:
    steps = known.steps or []
    answered = {step.get("call_id") for step in steps if isinstance(step, dict)}
    return any(
        isinstance(step, dict) and step.get("type") == "function_call" and step.get("id") not in answered
        for step in steps
    )


def _learn(world: World, answer: Exchange, changes: Mapping[str, Any], parent: Known | None) -> Known:
    """Record a new interaction, as the response to its create shows it."""
    reading = read(answer)
    background = changes.get("background") is True
    stored = changes.get("store") is not False and "store" in world.able
    known = Known(reading.id or "", background, stored, parent, reading.status or "")
    if known.id and known.id in world.ids:
        world.note("create.id-unique", "an id was given twice", "a new id", known.id)
    world.ids.add(known.id)
    world.interactions.append(known)
    if reading.is_stream:
        world.found += absorb(known, 0, reading.events)[0]
        if is_settled(known.status) and known.whole:
            known.steps, known.told_by = assembled(known.timeline, world.target.contract), "stream.equals-get"
            world.found += text_law(known, known.steps)
    elif reading.interaction is not None and known.status not in RUNNING:
        steps = reading.interaction.get("steps")
        known.steps, known.told_by = (steps if isinstance(steps, list) else []), "get.matches-post"
    return known


def _judge_child(world: World, answer: Exchange, known: Known, parent: Known) -> None:
    if known.id and known.id == parent.id:
        world.note("chain.ok", "a child has its parent's id", "an id of its own", known.id)
    body = read(answer).interaction
    if body is not None and body.get("previous_interaction_id") != parent.id:
        world.note(
            "chain.echo", "a child does not name its parent", parent.id, body.get("previous_interaction_id")
        )
    steps, inherited = known.steps or [], parent.steps or []
    begins = inherited and len(steps) > len(inherited) and not compare_steps(steps[: len(inherited)], inherited)
    if begins:
        world.note(
            "chain.own-steps",
            "a child repeats the steps of its parent",
            "its own output",
            counted(len(steps), "step"),
        )
