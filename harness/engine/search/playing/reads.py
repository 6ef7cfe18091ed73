"""Plays reads (polls, whole replays, waiting until a run has settled) and judges what they show.

Layer 4. What a look shows must agree with every earlier look.
"""

from __future__ import annotations

from itertools import islice

from harness.checks.vocabulary.polling import pauses
from harness.contract import is_settled, may_follow, read
from harness.contract.data.assembly import assembled
from harness.engine.search.playing.answer import refused, says_nothing, succeeded
from harness.engine.search.playing.create_modes import NO_CURSOR, UNKNOWN_ID
from harness.engine.search.playing.interaction_model import Known
from harness.engine.search.streaming import absorb, same_steps, short_of, text_law
from harness.engine.search.world import World
from harness.outcome.words import counted
from harness.strategies.operations import Operation
from harness.wire import Exchange

MOST_LOOKS = 40
GRACE = 5
"""How many looks may show the old status after a cancel: the documentation mentions a slight delay."""


def poll(world: World, operation: Operation) -> None:
    """One GET."""
    if operation.mode == "unknown":
        answer = world.send(world.target.get(UNKNOWN_ID))
        must_be_gone(world, answer, "get.unknown", "an id that names nothing")
        return
    known = world.subject(operation)
    if not known.id:
        return
    if operation.mode == "foreign":
        request = world.target.request("GET", f"interactions/{known.id}", key=world.another_key())
        foreign(world, world.send(request), known)
        return
    look(world, known, include_input=operation.mode == "input")


def look(world: World, known: Known, *, include_input: bool = False) -> None:
    """Look at one interaction and judge what is seen."""
    query = {"include_input": True} if include_input else {}
    wanted = succeeded if known.there else refused
    answer = world.patient(lambda: world.send(world.target.get(known.id, **query)), wanted)
    if says_nothing(answer):
        return
    if not known.there:
        must_be_gone(
            world, answer, "del.gone" if known.gone else "store.false-get", "an interaction that is not there"
        )
        return
    body = read(answer).interaction
    if not succeeded(answer) or body is None:
        rule = "cancel.get-after" if known.status == "cancelled" else "get.ok"
        world.note(rule, "an interaction is not found again", "200 and the interaction", answer.status)
        return
    if body.get("id") != known.id:
        world.note("bg.same-id", "GET answers for another interaction", known.id, body.get("id"))
        return
    told(world, known, read(answer).status or "")
    steps = body.get("steps")
    if known.settled and isinstance(steps, list):
        _settled_steps(world, known, steps, body.get("usage"))


def told(world: World, known: Known, status: str) -> None:
    """Judge a status that was shown: it must be able to follow the last one and reflect a cancel."""
    before, known.status, known.read_on = known.status, status, False
    if known.cancelled and status != "cancelled":
        known.looks_since_cancel += 1
        if before == "cancelled":
            world.note("cancel.stays", "a cancelled run did not stay cancelled", "cancelled", status)
        elif is_settled(status) or known.looks_since_cancel > GRACE:
            world.note("cancel.state", "a run was cancelled and is not", "cancelled", status)
    elif before and may_follow(before, status) is False:
        rule = "bg.no-regress" if is_settled(before) else "bg.transition"
        world.note(rule, f"{status} follows {before}", f"nothing that cannot follow {before}", status)
    elif may_follow(status, status) is None:
        world.note("create.schema", "a status that is not listed", "a listed status", status)


def _settled_steps(world: World, known: Known, steps: list[dict[str, object]], usage: object) -> None:
    if known.steps is not None:
        what = "the steps of a settled interaction differ"
        world.found += same_steps(known.steps, steps, known.told_by or "get.same", what)
        if known.told_by == "get.same" and known.usage != usage:
            world.note("get.same", "the usage of a settled interaction changed", str(known.usage), usage)
    elif known.whole:
        world.found += same_steps(
            assembled(known.timeline, world.target.contract), steps, "stream.equals-get", "stream and GET differ"
        )
    if known.background and known.status == "completed" and not _has_output(steps):
        held = counted(len(steps), "step")
        world.note("bg.result", "a completed run holds no output", "a model_output step", held)
    known.steps, known.usage, known.told_by = steps, usage, "get.same"  # type: ignore[assignment]


def _has_output(steps: list[dict[str, object]]) -> bool:
    return any(isinstance(step, dict) and step.get("type") == "model_output" for step in steps)


def settle(world: World, operation: Operation) -> None:
    """Poll until it has settled."""
    known = world.subject(operation)
    if not known.there:
        return
    for pause in islice(pauses(), MOST_LOOKS):
        found = len(world.found)
        look(world, known)
        if not known.running or len(world.found) > found:
            return
        world.driver.wait(pause)
    world.note("bg.settles", "a run does not settle", f"a settled status within {MOST_LOOKS} looks", known.status)


def replay(world: World, operation: Operation) -> None:
    """GET with stream=true, read to its end."""
    if operation.mode == "unknown":
        answer = world.send(world.target.get(UNKNOWN_ID, stream=True))
        must_be_gone(world, answer, "resume.unknown", "a stream of an id that names nothing", stream=True)
        return
    known = world.subject(operation)
    if not known.id:
        return
    if operation.mode == "bad-cursor":
        world.send(world.target.get(known.id, stream=True, last_event_id=NO_CURSOR))
        return
    whole(world, known)


def whole(world: World, known: Known) -> None:
    """Read all events of one interaction and compare them with what is known of it."""
    wanted = succeeded if known.there else refused
    answer = world.patient(lambda: world.send(world.target.get(known.id, stream=True)), wanted)
    if says_nothing(answer):
        return
    if not known.there:
        rule = "del.gone-stream" if known.gone else "store.false-get"
        must_be_gone(world, answer, rule, "the stream of an interaction that is not there", stream=True)
        return
    reading = read(answer)
    if reading.stream is None:
        rule = "resume.opens" if known.background else "resume.foreground"
        if known.background or not refused(answer):
            world.note(rule, "no stream of an interaction that is there", "an event stream", answer.status)
        return
    took_in(world, known, 0, answer)


def took_in(world: World, known: Known, position: int, answer: Exchange) -> None:
    """Judge a reading of a stream that began at `position`."""
    reading = read(answer)
    resumed = position > 0
    findings, reached = absorb(known, position, reading.events, resumed=resumed, boundary=resumed)
    world.found += findings
    if reached is None or reading.stream is None or answer.truncated:
        return
    short = short_of(known, reached, ended=reading.stream.whole, resumed=resumed)
    if short is not None:
        world.found.append(short)
        return
    if reading.stream.completed is not None:
        _ended(world, known, str(reading.stream.completed.get("status", "")))


def _ended(world: World, known: Known, status: str) -> None:
    """Judge the final status that a stream reported."""
    if known.cancelled and status != "cancelled":
        world.note("cancel.stream-ends", "the stream of a cancelled run ends otherwise", "cancelled", status)
        return
    told(world, known, status)
    if not known.whole:
        return
    steps = assembled(known.timeline, world.target.contract)
    world.found += text_law(known, steps)
    if known.steps is not None:
        world.found += same_steps(steps, known.steps, "stream.equals-get", "stream and GET differ")


def must_be_gone(world: World, answer: Exchange, rule: str, what: str, *, stream: bool = False) -> None:
    """The response must be 404, or for a stream any refusal."""
    if says_nothing(answer) or answer.status in (404, 501):
        return
    if not (stream and refused(answer)):
        world.note(rule, f"{what} is answered otherwise than as unknown", "404", answer.status)


def foreign(world: World, answer: Exchange, known: Known) -> None:
    """A request with another project's key must not succeed."""
    if known.there and succeeded(answer):
        world.note("store.isolation", "another project's key was served", "a refusal", answer.status)
