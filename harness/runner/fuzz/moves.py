"""All that a client may do, each by its name, and when there is something to do it to.

Layer 4. The table of operations stands above the modules that play them; they know a `World` and not one another,
but for `looks`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.outcome import Finding
from harness.runner.fuzz import acts, creating, looks, reading_parts
from harness.runner.fuzz.asking import NEEDS
from harness.runner.fuzz.world import World
from harness.strategies.operations import ON_READERS, Operation

_MOVES: dict[str, Callable[[World, Operation], None]] = {
    "create": creating.create,
    "chain": creating.chain,
    "answer": creating.answer,
    "poll": looks.poll,
    "settle": looks.settle,
    "replay": looks.replay,
    "cancel": acts.cancel,
    "delete": acts.delete,
    "open": reading_parts.begin,
    "read": reading_parts.more,
    "drop": reading_parts.drop,
    "resume": reading_parts.resume,
    "finish": reading_parts.finish,
}
_OF_NOBODY = frozenset({"unknown", "orphan"})
"""Modes without a subject."""


def move(world: World, operation: Operation) -> list[Finding]:
    """Do one thing, and say what was wrong with the answers; empty where there is nothing to do it to."""
    world.found = []
    if _applies(world, operation):
        world.played.append(_named(world, operation))
        _MOVES[operation.kind](world, operation)
    return world.found


def able_to(world: World, operation: Operation) -> bool:
    """Whether the target is said to do what an operation needs."""
    needed = NEEDS.get(operation.mode, frozenset()) if operation.kind in ("create", "chain", "answer") else set()
    by_kind = {"replay": {"stream"}, "open": {"stream"}, "answer": {"functions"}}.get(operation.kind, set())
    by_mode = {"foreign": {"two-keys", "store"}, "unknown": set(), "orphan": set()}
    stored = set() if operation.kind == "create" else {"store"}
    return {*needed, *by_kind, *by_mode.get(operation.mode, stored)} <= world.able


def _applies(world: World, operation: Operation) -> bool:
    """Whether there is a subject for it, and the target is said to be able."""
    if operation.kind in ON_READERS:
        return bool(world.among(closed=operation.kind == "resume"))
    return (_without_subject(operation) or bool(world.interactions)) and able_to(world, operation)


def _named(world: World, operation: Operation) -> Operation:
    """The operation with its subject's own number, which it may have been counted to more than once round."""
    if _without_subject(operation):
        return operation
    on_readers = operation.kind in ON_READERS
    among = world.among(closed=operation.kind == "resume") if on_readers else world.interactions
    return replace(operation, subject=operation.subject % len(among))


def _without_subject(operation: Operation) -> bool:
    return operation.kind == "create" or operation.mode in _OF_NOBODY
