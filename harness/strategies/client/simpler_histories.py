"""Which of two histories is simpler, and the simpler ones that may show the same.

Layer 2, pure. Must not know what a history shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from harness.kit.search import simpler_values, weigh
from harness.strategies.operations import KINDS, ON_READERS, ClientCommand

_LOOKS = ("poll", "settle", "replay")

History: TypeAlias = tuple[ClientCommand, ...]


def weigh_history(history: History) -> tuple[int, ...]:
    """The sort key of a history: fewer steps first, then kinds and modes listed earlier, then smaller values."""
    weights = [_weigh(operation) for operation in history]
    return (len(history), *(sum(column) for column in zip(*weights, strict=True)))


def _weigh(operation: ClientCommand) -> tuple[int, int, int, int]:
    kinds = list(KINDS)
    return (
        kinds.index(operation.kind),
        KINDS[operation.kind].index(operation.mode),
        operation.subject + operation.count,
        weigh(operation.body),
    )


def simplify(history: History) -> Iterator[History]:
    """Histories without some of the steps, or with a simpler step in place of one; larger removals first."""
    size = len(history) // 2
    while size > 1:
        for at in range(0, len(history), size):
            yield (*history[:at], *history[at + size :])
        size //= 2
    for at in range(len(history)):
        rest = (*history[:at], *history[at + 1 :])
        yield rest
        yield tuple(_renumber(operation) if i >= at else operation for i, operation in enumerate(rest))
    for at, operation in enumerate(history):
        for other in _propose_simpler_steps(operation):
            yield (*history[:at], other, *history[at + 1 :])
    yield from _merge_looks(history)


def _merge_looks(history: History) -> Iterator[History]:
    """Remove one step and replace a remaining look by another kind of look, which may serve for both."""
    for gone in range(len(history)):
        rest = (*history[:gone], *history[gone + 1 :])
        for at, operation in enumerate(rest):
            if operation.kind in _LOOKS and not operation.mode:
                for kind in _LOOKS:
                    if kind != operation.kind:
                        yield (*rest[:at], ClientCommand(kind, operation.subject), *rest[at + 1 :])


def _renumber(operation: ClientCommand) -> ClientCommand:
    """The step with its subject renumbered after an earlier interaction was removed."""
    if operation.kind in ON_READERS or not operation.subject:
        return operation
    return replace(operation, subject=operation.subject - 1)


def _propose_looks(operation: ClientCommand) -> Iterator[ClientCommand]:
    """Plain looks at an interaction in place of a step, if their kind is listed earlier."""
    kinds = list(KINDS)
    subjects = range(2) if operation.kind in ON_READERS else (operation.subject,)
    for kind in _LOOKS:
        if kinds.index(kind) < kinds.index(operation.kind):
            yield from (ClientCommand(kind, subject) for subject in subjects)


def _propose_simpler_steps(operation: ClientCommand) -> Iterator[ClientCommand]:
    if operation.kind in ("chain", "answer") and operation.mode in KINDS["create"]:
        yield ClientCommand("create", mode=operation.mode)
    if operation.kind != "create":
        yield from _propose_looks(operation)
    modes = KINDS[operation.kind]
    for mode in modes[: modes.index(operation.mode)]:
        yield replace(operation, mode=mode)
    for subject in range(operation.subject):
        yield replace(operation, subject=subject)
    for count in {1, operation.count // 2, operation.count - 1} - {0, -1}:
        if count < operation.count:
            yield replace(operation, count=count)
    if operation.body is not None:
        yield replace(operation, body=None)
        yield from (replace(operation, body=body) for body in simpler_values(operation.body))
