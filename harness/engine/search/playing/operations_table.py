"""The table of all operations a client may do, and the conditions under which each applies.

Layer 4. This table uses the modules that play the operations. Those know a `World`, but not one another, except
for `looks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.engine.search.defect import SeenDefect
from harness.engine.search.playing import cancel_delete, creates, partial_reads, reads
from harness.engine.search.playing.create_modes import NEEDS
from harness.engine.search.world import World
from harness.strategies.operations import ON_READERS, ClientCommand

_MOVES: dict[str, Callable[[World, ClientCommand], None]] = {
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


def move(world: World, operation: ClientCommand) -> list[SeenDefect]:
    """Play one operation and return what it shows; do nothing if it does not apply, or after a hang."""
    world.found = []
    if not world.hung and _applies(world, operation):
        world.played.append(_with_actual_subject(world, operation))
        _MOVES[operation.kind](world, operation)
    return world.found


def able_to(able: frozenset[str], operation: ClientCommand) -> bool:
    """Whether a target with these capabilities has those that an operation needs."""
    needed = NEEDS.get(operation.mode, frozenset()) if operation.kind in ("create", "chain", "answer") else set()
    by_kind = _NEEDED.get(operation.kind, set())
    by_mode = {"foreign": {"two-keys", "store"}, "unknown": set(), "orphan": set()}
    stored = set() if operation.kind == "create" else {"store"}
    return {*needed, *by_kind, *by_mode.get(operation.mode, stored)} <= able


def _applies(world: World, operation: ClientCommand) -> bool:
    """Whether the operation has a subject and the target has the capabilities for it."""
    if operation.kind in ON_READERS:
        return bool(world.among(closed=operation.kind == "resume"))
    return (_without_subject(operation) or bool(world.interactions)) and able_to(world.able, operation)


def _with_actual_subject(world: World, operation: ClientCommand) -> ClientCommand:
    """The operation with its subject reduced to the actual number, as it is taken modulo their count."""
    if _without_subject(operation):
        return operation
    on_readers = operation.kind in ON_READERS
    among = world.among(closed=operation.kind == "resume") if on_readers else world.interactions
    return replace(operation, subject=operation.subject % len(among))


def _without_subject(operation: ClientCommand) -> bool:
    return operation.kind == "create" or operation.mode in _OF_NOBODY
