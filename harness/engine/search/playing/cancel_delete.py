"""Plays cancels and deletes, and judges their responses; later looks judge their effects.

Layer 4.
"""

from __future__ import annotations

from harness.contract import read
from harness.engine.search.playing import reads
from harness.engine.search.playing.answer import refused, says_nothing, succeeded
from harness.engine.search.playing.create_modes import UNKNOWN_ID
from harness.engine.search.playing.interaction_model import Known
from harness.engine.search.world import World
from harness.strategies.operations import Operation
from harness.wire import Exchange


def cancel(world: World, operation: Operation) -> None:
    """POST …/cancel."""
    if operation.mode == "unknown":
        answer = world.send(world.target.cancel(UNKNOWN_ID))
        _must_refuse(world, answer, "cancel.unknown", "a cancel of nothing")
        return
    known = world.subject(operation)
    if not known.id:
        return
    if operation.mode == "foreign":
        path = f"interactions/{known.id}/cancel"
        reads.foreign(world, world.send(world.target.request("POST", path, key=world.another_key())), known)
        return
    answer = world.send(world.target.cancel(known.id))
    if not known.there:
        _must_refuse(world, answer, "cancel.unknown", "a cancel of what is not there")
    elif known.running and known.background:
        _judge_running(world, answer, known)
    elif succeeded(answer):
        _judge_settled(world, answer, known)


def _judge_running(world: World, answer: Exchange, known: Known) -> None:
    """Judge the cancel of a run that was in progress at the last look: it is cancelled, or had just ended."""
    if says_nothing(answer):
        return
    if not succeeded(answer):
        if world.certain(known) or not refused(answer):
            world.note("cancel.ok", "a running run cannot be cancelled", "200", answer.status)
        return
    body = read(answer).interaction
    if body is None or not isinstance(body.get("status"), str):
        world.note("cancel.ok", "the answer to a cancel is no interaction", "the interaction", str(body)[:80])
        known.cancelled = True
        return
    status = body["status"]
    if status in ("in_progress", "queued", "cancelled") or world.certain(known):
        known.cancelled = True
    if known.cancelled and status not in ("in_progress", "queued", "cancelled"):
        world.note("cancel.state", "a run was cancelled and is not", "cancelled", status)
    if status == "cancelled":
        known.status = status


def _judge_settled(world: World, answer: Exchange, known: Known) -> None:
    """Judge the cancel of a settled run: it changes nothing."""
    status = read(answer).status
    if known.settled and status and status != known.status:
        rule = "cancel.keeps-background-result" if known.background else "cancel.keeps-result"
        world.note(rule, "a cancel changed what was over", known.status, status)


def delete(world: World, operation: Operation) -> None:
    """DELETE."""
    if operation.mode == "unknown":
        answer = world.send(world.target.delete(UNKNOWN_ID))
        reads.must_be_gone(world, answer, "del.unknown", "a delete of an id that names nothing")
        return
    known = world.subject(operation)
    if not known.id:
        return
    if operation.mode == "foreign":
        request = world.target.request("DELETE", f"interactions/{known.id}", key=world.another_key())
        reads.foreign(world, world.send(request), known)
        return
    answer = world.send(world.target.delete(known.id))
    if says_nothing(answer):
        return
    if not known.there:
        if not succeeded(answer):
            reads.must_be_gone(world, answer, "del.twice", "a second delete")
    elif succeeded(answer):
        known.forget()
    elif not (known.running and refused(answer)):
        world.note("del.ok", "an interaction cannot be deleted", "200", answer.status)


def _must_refuse(world: World, answer: Exchange, rule: str, what: str) -> None:
    if succeeded(answer):
        world.note(rule, f"{what} was accepted", "a refusal", answer.status)
