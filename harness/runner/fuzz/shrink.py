"""Makes a failing history as small as it can be: Hypothesis takes steps away, this also rewrites the ones left.

Layer 4. Every candidate is played; only one that breaks the same rule is kept. A target that does not fail again
is believed the first time: the history stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.runner.fuzz.failure import Failure
from harness.runner.fuzz.place import Place, play
from harness.strategies.operations import KINDS, ON_READERS, Operation

History = tuple[Operation, ...]

NEAR, FAR = 400, 40
"""Histories that may be played to shrink one, in this process and elsewhere."""


def minimal(place: Place, failure: Failure) -> Failure:
    """The smallest failure of the same rule that can be reached by simplifying."""
    left = NEAR if place.resolved.throwaway else FAR
    improved = True
    while improved and left > 0:
        improved = False
        for candidate in _simpler(failure.history):
            if left <= 0:
                break
            left -= 1
            again = _again(place, candidate, failure)
            if again is not None and _size(again.history) < _size(failure.history):
                failure, improved = again, True
                break
    return failure


def _again(place: Place, history: History, failure: Failure) -> Failure | None:
    return next((found for found in play(place, history, failure.engine) if found.key == failure.key), None)


def _size(history: History) -> tuple[int, ...]:
    """Fewer steps first, then steps that are listed earlier, then smaller numbers."""
    weights = [_weight(operation) for operation in history]
    return (len(history), *(sum(column) for column in zip(*weights, strict=True)))


def _weight(operation: Operation) -> tuple[int, int, int]:
    kinds = list(KINDS)
    return (
        kinds.index(operation.kind),
        KINDS[operation.kind].index(operation.mode),
        operation.subject + operation.count,
    )


def _simpler(history: History) -> Iterator[History]:
    size = len(history) // 2
    while size > 1:
        for at in range(0, len(history), size):
            yield (*history[:at], *history[at + size :])
        size //= 2
    for at in range(len(history)):
        rest = (*history[:at], *history[at + 1 :])
        yield rest
        yield tuple(_renumbered(operation) if i >= at else operation for i, operation in enumerate(rest))
    for at, operation in enumerate(history):
        for other in _simpler_steps(operation):
            yield (*history[:at], other, *history[at + 1 :])


def _renumbered(operation: Operation) -> Operation:
    """The step as it reads when one interaction before it is gone."""
    if operation.kind in ON_READERS or not operation.subject:
        return operation
    return replace(operation, subject=operation.subject - 1)


def _looks_instead(operation: Operation) -> Iterator[Operation]:
    """A plain look at an interaction in place of a step, where that is listed earlier."""
    kinds = list(KINDS)
    subjects = range(2) if operation.kind in ON_READERS else (operation.subject,)
    for kind in ("poll", "settle", "replay"):
        if kinds.index(kind) < kinds.index(operation.kind):
            yield from (Operation(kind, subject) for subject in subjects)


def _simpler_steps(operation: Operation) -> Iterator[Operation]:
    if operation.kind in ("chain", "answer") and operation.mode in KINDS["create"]:
        yield Operation("create", mode=operation.mode)
    if operation.kind != "create":
        yield from _looks_instead(operation)
    modes = KINDS[operation.kind]
    for mode in modes[: modes.index(operation.mode)]:
        yield replace(operation, mode=mode)
    for subject in range(operation.subject):
        yield replace(operation, subject=subject)
    for count in {1, operation.count // 2, operation.count - 1} - {0, -1}:
        if count < operation.count:
            yield replace(operation, count=count)
