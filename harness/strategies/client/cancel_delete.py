"""Plays cancels and deletes.

Layer 2. Their answers, and what later looks show of them, are judged by the contract's `HistoryJudge`.
"""

from __future__ import annotations

from harness.contract.judge.history.history_state import Intent
from harness.strategies.client.create_modes import UNKNOWN_ID
from harness.strategies.client.search_client import SearchClient
from harness.strategies.operations import ClientCommand


def cancel(client: SearchClient, operation: ClientCommand) -> None:
    """POST …/cancel."""
    if operation.mode == "unknown":
        client.send(client.target.cancel(UNKNOWN_ID), Intent(refused_by="cancel.unknown"))
        return
    model = client.subject(operation)
    if not model.id:
        return
    if operation.mode == "foreign":
        path = f"interactions/{model.id}/cancel"
        client.send(client.target.request("POST", path, key=client.another_key()), Intent(foreign=True))
        return
    client.send(client.target.cancel(model.id))


def delete(client: SearchClient, operation: ClientCommand) -> None:
    """DELETE."""
    if operation.mode == "unknown":
        client.send(client.target.delete(UNKNOWN_ID), Intent(refused_by="del.unknown"))
        return
    model = client.subject(operation)
    if not model.id:
        return
    if operation.mode == "foreign":
        request = client.target.request("DELETE", f"interactions/{model.id}", key=client.another_key())
        client.send(request, Intent(foreign=True))
        return
    client.send(client.target.delete(model.id))
