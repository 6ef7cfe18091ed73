"""Shrinks a failing history: Hypothesis only removes steps, this module also rewrites the remaining ones.

Layer 4. Every candidate is played; it is kept only if it breaks the same rule. If the target does not fail again,
the first failure still counts, with its history unchanged. Removing and rewriting single steps can end in a local
minimum; in this process, where histories are cheap, all short histories are played as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.engine.search.exhaustive import every
from harness.engine.search.failure import Failure
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.traffic.deadline import TimeUp
from harness.strategies.operations import KINDS, ON_READERS, ClientCommand

_LOOKS = ("poll", "settle", "replay")

SHORTEST = 3
"""In this process, all histories of up to this many steps are played: about a second for each target."""

History = tuple[ClientCommand, ...]

NEAR, FAR = 400, 40
"""How many histories may be played to shrink one, in this process and elsewhere."""


def minimal(place: SearchTarget, failure: Failure) -> Failure:
    """Simplify a failure step by step, as far as time allows, to the smallest one of the same rule."""
    left = NEAR if place.resolved.throwaway else FAR
    tried = [failure.history]
    try:
        while True:
            smaller = None
            for candidate in _simpler(failure.history):
                if candidate in tried:
                    continue
                if left <= 0 or place.timer.over():
                    return replace(failure, shrunk=False)
                left -= 1
                tried.append(candidate)
                again = _again(place, candidate, failure)
                if again is not None and size(again.history) < size(failure.history):
                    smaller = again
                    break
            if smaller is None:
                return failure
            failure = smaller
    except TimeUp:
        return replace(failure, shrunk=False)


def shortest(place: SearchTarget, failures: Sequence[Failure]) -> list[Failure]:
    """The failures, each replaced if one of all short histories shows it with fewer steps."""
    longest = max((len(failure.history) for failure in failures), default=0)
    if not place.resolved.throwaway or longest < 2 or place.timer.over():
        return list(failures)
    searched = every(place, min(longest - 1, SHORTEST), seconds=place.timer.left)
    short = {failure.key: failure for failure in searched.failures}
    return [_shorter(failure, short.get(failure.key)) for failure in failures]


def _shorter(failure: Failure, other: Failure | None) -> Failure:
    if other is None or len(other.history) >= len(failure.history):
        return failure
    return replace(other, engine=failure.engine)


def _again(place: SearchTarget, history: History, failure: Failure) -> Failure | None:
    return next((found for found in play(place, history, failure.engine) if found.key == failure.key), None)


def size(history: History) -> tuple[int, ...]:
    """The sort key of a history: fewer steps first, then kinds and modes listed earlier, then smaller numbers."""
    weights = [_weight(operation) for operation in history]
    return (len(history), *(sum(column) for column in zip(*weights, strict=True)))


def _weight(operation: ClientCommand) -> tuple[int, int, int]:
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
        yield tuple(_renumber(operation) if i >= at else operation for i, operation in enumerate(rest))
    for at, operation in enumerate(history):
        for other in _simpler_steps(operation):
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


def _looks_instead(operation: ClientCommand) -> Iterator[ClientCommand]:
    """Plain looks at an interaction in place of a step, if their kind is listed earlier."""
    kinds = list(KINDS)
    subjects = range(2) if operation.kind in ON_READERS else (operation.subject,)
    for kind in _LOOKS:
        if kinds.index(kind) < kinds.index(operation.kind):
            yield from (ClientCommand(kind, subject) for subject in subjects)


def _simpler_steps(operation: ClientCommand) -> Iterator[ClientCommand]:
    if operation.kind in ("chain", "answer") and operation.mode in KINDS["create"]:
        yield ClientCommand("create", mode=operation.mode)
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
