"""Plays cancels and deletes.

Layer 2. Their answers, and what later looks show of them, are judged by the contract's `HistoryJudge`.
"""

from __future__ import annotations

from harness.strategies.client.search_client import SearchClient
from harness.strategies.operations import ClientCommand


def cancel(client: SearchClient, operation: ClientCommand) -> None:
    """POST …/cancel."""
    model = client.choose_called(operation, "POST", "/cancel", unknown="cancel.unknown")
    if model is not None:
        client.send(client.target.cancel(model.id))


def delete(client: SearchClient, operation: ClientCommand) -> None:
    """DELETE."""
    model = client.choose_called(operation, "DELETE", unknown="del.unknown")
    if model is not None:
        client.send(client.target.delete(model.id))
