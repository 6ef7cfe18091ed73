"""The table of all operations a client may do, and the conditions under which each applies.

Layer 2. This table uses the modules that play the operations. Those know a `SearchClient`, but not one another,
except for `reads`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.strategies.client import cancel_delete, creates, partial_reads, reads
from harness.strategies.client.create_modes import NEEDS
from harness.strategies.client.search_client import SearchClient
from harness.strategies.operations import KINDS, ON_READERS, ClientCommand

_MOVES: dict[str, Callable[[SearchClient, ClientCommand], None]] = {
    "create": creates.create,
    "chain": creates.chain,
    "answer": creates.answer,
    "poll": reads.poll,
    "settle": reads.settle,
    "replay": reads.replay,
    "cancel": cancel_delete.cancel,
    "delete": cancel_delete.delete,
    "open": partial_reads.begin,
    "read": partial_reads.more,
    "drop": partial_reads.drop,
    "resume": partial_reads.resume,
    "finish": partial_reads.finish,
}
_NEEDED: Mapping[str, set[str]] = {
    "replay": {"stream"},
    "answer": {"functions"},
    **{kind: {"stream", "background"} for kind in ("open", *sorted(ON_READERS))},
}
"""The capabilities that each kind of operation needs; only background runs can be read in parts."""

_OF_NOBODY = frozenset({"unknown", "orphan"})
"""Modes of operations that have no subject."""


def play(client: SearchClient, operation: ClientCommand) -> None:
    """Play one operation that applies."""
    _MOVES[operation.kind](client, operation)


def able_to(able: frozenset[str], operation: ClientCommand) -> bool:
    """Whether a target with these capabilities has those that an operation needs."""
    needed = NEEDS.get(operation.mode, frozenset()) if operation.kind in ("create", "chain", "answer") else set()
    by_kind = _NEEDED.get(operation.kind, set())
    by_mode = {"foreign": {"two-keys", "store"}, "unknown": set(), "orphan": set()}
    stored = set() if operation.kind == "create" else {"store"}
    return {*needed, *by_kind, *by_mode.get(operation.mode, stored)} <= able


def list_kinds(able: frozenset[str]) -> list[str]:
    """The kinds of operations that a target with these capabilities can be asked for."""
    return [kind for kind, modes in KINDS.items() if able_to(able, ClientCommand(kind, mode=modes[0]))]


def resolve(client: SearchClient, operation: ClientCommand) -> ClientCommand | None:
    """The operation with its subject reduced to the actual number, as it is taken modulo their count.

    None if it has no subject, or if the target lacks a capability for it.
    """
    on_readers = operation.kind in ON_READERS
    if not on_readers and not able_to(client.world.able, operation):
        return None
    if _without_subject(operation):
        return operation
    among = client.among(closed=operation.kind == "resume") if on_readers else client.interactions
    return replace(operation, subject=operation.subject % len(among)) if among else None


def _without_subject(operation: ClientCommand) -> bool:
    return operation.kind == "create" or operation.mode in _OF_NOBODY
