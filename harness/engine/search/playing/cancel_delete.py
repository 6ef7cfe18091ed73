"""Plays cancels and deletes.

Layer 4. Their answers, and what later looks show of them, are judged by the contract's `HistoryJudge`.
"""

from __future__ import annotations

from harness.contract.judge.history.history_state import Intent
from harness.engine.search.playing.create_modes import UNKNOWN_ID
from harness.engine.search.world import World
from harness.strategies.operations import ClientCommand


def cancel(world: World, operation: ClientCommand) -> None:
    """POST …/cancel."""
    if operation.mode == "unknown":
        world.send(world.target.cancel(UNKNOWN_ID), Intent(refused_by="cancel.unknown"))
        return
    model = world.subject(operation)
    if not model.id:
        return
    if operation.mode == "foreign":
        path = f"interactions/{model.id}/cancel"
        world.send(world.target.request("POST", path, key=world.another_key()), Intent(foreign=True))
        return
    world.send(world.target.cancel(model.id))


def delete(world: World, operation: ClientCommand) -> None:
    """DELETE."""
    if operation.mode == "unknown":
        world.send(world.target.delete(UNKNOWN_ID), Intent(refused_by="del.unknown"))
        return
    model = world.subject(operation)
    if not model.id:
        return
    if operation.mode == "foreign":
        request = world.target.request("DELETE", f"interactions/{model.id}", key=world.another_key())
        world.send(request, Intent(foreign=True))
        return
    world.send(world.target.delete(model.id))
