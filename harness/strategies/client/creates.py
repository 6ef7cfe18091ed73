"""Plays creates, chains and answers to function calls.

Layer 2. The responses are judged by the contract's `HistoryJudge`, which is told what was meant. Must not know
streams that are read in parts; uses `reads` only to look again at a running parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contract.judge.answer import is_success
from harness.contract.judge.history.history_state import Intent
from harness.contract.judge.history.interaction_model import InteractionModel
from harness.strategies.client import reads
from harness.strategies.client.create_modes import (
    ILLEGAL,
    LEGAL,
    UNKNOWN_ID,
    WEATHER,
    body_of,
    result_of,
    wrong_changes,
)
from harness.strategies.client.search_client import SearchClient
from harness.strategies.operations import ClientCommand
from harness.wire import Exchange

_CHAINS: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "background": {"background": True},
    "stream": {"stream": True},
}
_RIGHT = Intent(legal=True)


def create(client: SearchClient, operation: ClientCommand) -> None:
    """Play a create that must be accepted, or one that must be refused."""
    if operation.mode in ILLEGAL:
        changes = wrong_changes(operation.mode, client.target)
        _ask(client, changes, Intent(refused_by=ILLEGAL[operation.mode][0]))
        return
    _ask(client, {**LEGAL[operation.mode], **(operation.body or {})}, _RIGHT)


def chain(client: SearchClient, operation: ClientCommand) -> None:
    """Play a create with a `previous_interaction_id`."""
    if operation.mode == "unknown":
        _ask(client, {"previous_interaction_id": UNKNOWN_ID}, Intent(refused_by="chain.unknown"))
        return
    parent = client.subject(operation)
    if not parent.id:
        return
    changes = {**_CHAINS.get(operation.mode, {}), "previous_interaction_id": parent.id}
    if operation.mode == "foreign":
        _ask(client, changes, Intent(foreign=True), key=client.another_key())
        return
    _continue(client, parent, changes)


def answer(client: SearchClient, operation: ClientCommand) -> None:
    """Play a create with the results of function calls, right or wrong."""
    if operation.mode == "orphan":
        orphan = {"input": [result_of("call_nobody", "get_weather")], "tools": [WEATHER]}
        _ask(client, orphan, Intent(refused_by="tool.result-orphan"))
        return
    parent = client.subject(operation)
    calls = parent.calls
    if not parent.id or not calls:
        return
    results = [result_of(call["id"], str(call.get("name"))) for call in calls]
    if operation.mode == "wrong-id":
        results[0]["call_id"] = "call_nobody"
    changes: dict[str, Any] = {"previous_interaction_id": parent.id, "input": results, "tools": [WEATHER]}
    changes["stream"] = True if operation.mode == "stream" else None
    if operation.mode == "wrong-id" and parent.there:
        _ask(client, changes, Intent(refused_by="tool.result-bad-id"))
    else:
        _continue(client, parent, changes)


def _continue(client: SearchClient, parent: InteractionModel, changes: Mapping[str, Any]) -> None:
    """Continue a parent; look again at one that ran, since only that shows whether it still does."""
    ran = parent.there and parent.running and not client.judge.is_certain(parent)
    if is_success(_ask(client, changes, _RIGHT)) and ran:
        reads.look(client, parent)


def _ask(client: SearchClient, changes: Mapping[str, Any], intent: Intent, *, key: str | None = None) -> Exchange:
    number = len(client.interactions)
    text = "Say hi." if client.world.same_input else f"Say hi to {number}."
    body = body_of(client.target.model, text, {**client.target.says, **changes})
    return client.send(client.target.request("POST", "interactions", body, key=key), intent)
