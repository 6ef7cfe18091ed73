"""Plays reads: polls, whole replays, and waiting until a run has settled.

Layer 4. What a look shows is judged by the contract's `HistoryJudge`.
"""

from __future__ import annotations

from itertools import islice

from harness.contract.judge.answer import is_refusal, is_success
from harness.contract.judge.history.history_state import Intent
from harness.contract.judge.history.interaction_model import InteractionModel
from harness.engine.search.playing.create_modes import NO_CURSOR, UNKNOWN_ID
from harness.engine.search.world import World
from harness.kit.backoff import pauses
from harness.strategies.operations import ClientCommand

MOST_LOOKS = 40


def poll(world: World, operation: ClientCommand) -> None:
    """One GET."""
    if operation.mode == "unknown":
        world.send(world.target.get(UNKNOWN_ID), Intent(refused_by="get.unknown"))
        return
    model = world.subject(operation)
    if not model.id:
        return
    if operation.mode == "foreign":
        request = world.target.request("GET", f"interactions/{model.id}", key=world.another_key())
        world.send(request, Intent(foreign=True))
        return
    look(world, model, include_input=operation.mode == "input")


def look(world: World, model: InteractionModel, *, include_input: bool = False, awaited: bool = False) -> None:
    """Look at one interaction; `awaited`: its run has had all the time it may take to settle."""
    query = {"include_input": True} if include_input else {}
    wanted = is_success if model.there else is_refusal
    world.look(world.target.get(model.id, **query), wanted, Intent(awaited=awaited))


def settle(world: World, operation: ClientCommand) -> None:
    """Poll until it has settled."""
    model = world.subject(operation)
    if not model.there:
        return
    for number, pause in enumerate(islice(pauses(), MOST_LOOKS), 1):
        found = len(world.found)
        look(world, model, awaited=number == MOST_LOOKS)
        if not model.running or len(world.found) > found:
            return
        world.driver.wait(pause)


def replay(world: World, operation: ClientCommand) -> None:
    """GET with stream=true, read to its end."""
    if operation.mode == "unknown":
        world.send(world.target.get(UNKNOWN_ID, stream=True), Intent(refused_by="resume.unknown"))
        return
    model = world.subject(operation)
    if not model.id:
        return
    if operation.mode == "bad-cursor":
        world.send(world.target.get(model.id, stream=True, last_event_id=NO_CURSOR))
        return
    wanted = is_success if model.there else is_refusal
    world.look(world.target.get(model.id, stream=True), wanted)
