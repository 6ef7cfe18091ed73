"""Plays reads: polls, whole replays, and waiting until a run has settled.

Layer 2. What a look shows is judged by the contract's `HistoryJudge`.
"""

from __future__ import annotations

from itertools import islice

from harness.contract.judge.answer import is_refusal, is_success
from harness.contract.judge.history.history_state import Intent
from harness.contract.judge.history.interaction_model import InteractionModel
from harness.kit.actions import pauses
from harness.strategies.client.create_modes import NO_CURSOR, UNKNOWN_ID
from harness.strategies.client.search_client import SearchClient
from harness.strategies.operations import ClientCommand

MOST_LOOKS = 40


def poll(client: SearchClient, operation: ClientCommand) -> None:
    """One GET."""
    model = client.choose_called(operation, "GET", unknown="get.unknown")
    if model is not None:
        look(client, model, include_input=operation.mode == "input")


def look(
    client: SearchClient, model: InteractionModel, *, include_input: bool = False, awaited: bool = False
) -> None:
    """Look at one interaction; `awaited`: its run has had all the time it may take to settle."""
    query = {"include_input": True} if include_input else {}
    wanted = is_success if model.there else is_refusal
    client.look(client.target.get(model.id, **query), wanted, Intent(awaited=awaited))


def settle(client: SearchClient, operation: ClientCommand) -> None:
    """Poll until it has settled."""
    model = client.subject(operation)
    if not model.there:
        return
    for number, pause in enumerate(islice(pauses(), MOST_LOOKS), 1):
        found = len(client.world.found)
        look(client, model, awaited=number == MOST_LOOKS)
        if not model.running or len(client.world.found) > found:
            return
        client.world.wait(pause)


def replay(client: SearchClient, operation: ClientCommand) -> None:
    """GET with stream=true, read to its end."""
    if operation.mode == "unknown":
        client.send(client.target.get(UNKNOWN_ID, stream=True), Intent(refused_by="resume.unknown"))
        return
    model = client.subject(operation)
    if not model.id:
        return
    if operation.mode == "bad-cursor":
        client.send(client.target.get(model.id, stream=True, last_event_id=NO_CURSOR))
        return
    wanted = is_success if model.there else is_refusal
    client.look(client.target.get(model.id, stream=True), wanted)
