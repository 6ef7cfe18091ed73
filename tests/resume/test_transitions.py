"""The table of the machine that follows an interaction: every row happens, and nothing happens that has no row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from harness.errors import ConnectionLost, ErrorResponse, GaveUp, NotAStream
from harness.resume import RetryLimits
from harness.resume import state_machine as module
from harness.resume.state_machine import (
    TRANSITIONS,
    Create,
    OpenStream,
    Poll,
    ResumeMachine,
    ResumeOutcome,
    ResumeState,
    Sleep,
)

LIMITS = RetryLimits(failures=3, waiting=1e9)
Answer = Callable[[ResumeMachine], None]


def stream(*events: dict[str, Any]) -> Answer:
    """Return a connection that tells these events and then breaks off."""

    def feed(machine: ResumeMachine) -> None:
        for event in events:
            list(machine.feed(b"data: " + json.dumps(event).encode() + b"\n\n"))
            if machine.hung_up:
                break
        machine.note_end()

    return feed


def failure(make: Callable[[], ConnectionLost]) -> Answer:
    """Return a request that fails so."""
    return lambda machine: machine.note_failure(make())


def poll(status: str) -> Answer:
    """Return an answer to a poll."""
    return lambda machine: [*machine.take_poll({"id": "v1_x", "status": status, "steps": []})].clear()


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """Return one event of a stream."""
    return {"event_type": kind, **fields}


CREATED = event("interaction.created", interaction={"id": "v1_x", "status": "in_progress"}, event_id="e1")
START = event("step.start", index=0, step={"type": "model_output"}, event_id="e2")
OTHER_START = event("step.start", index=0, step={"type": "thought"})
UNNAMED = event("interaction.completed", interaction={"status": "completed"})
COMPLETED = event("interaction.completed", interaction={"id": "v1_x", "status": "completed"})

STREAMS: tuple[Answer, ...] = (
    stream(),
    stream(CREATED),
    stream(CREATED, START),
    stream(CREATED, START, OTHER_START),
    stream(START, OTHER_START),
    stream(UNNAMED),
    stream(COMPLETED),
)
FAILURES: tuple[Answer, ...] = (
    failure(lambda: ConnectionLost("reset")),
    failure(lambda: ErrorResponse(400, "bad cursor")),
    failure(lambda: ErrorResponse(403, "no")),
    failure(lambda: ErrorResponse(429, "later", 1.0)),
    failure(lambda: ErrorResponse(500, "crash")),
    failure(lambda: NotAStream("JSON")),
)
POLLS = (poll("in_progress"), poll("completed"))


def possible(move: Create | OpenStream | Poll) -> Iterator[Answer]:
    """Yield what may come of a move; only a stream can turn out to be none."""
    yield from FAILURES[:-1] if isinstance(move, Poll) else FAILURES
    yield from POLLS if isinstance(move, Poll) else STREAMS


def play(interaction_id: str | None, answers: Sequence[Answer]) -> tuple[Any, Create | OpenStream | Poll] | None:
    """Let a machine receive these answers; return what it remembers and its next move, None if it stops."""
    machine = ResumeMachine(LIMITS, interaction_id, {"input": "x"})
    pending = list(answers)
    try:
        while not machine.over:
            move = machine.move()
            if isinstance(move, Sleep):
                continue
            if not pending:
                return (machine.state, machine._failures, machine._cursors, machine._found, move), move
            pending.pop(0)(machine)
    except GaveUp:
        pass
    return None


def test_every_row_happens_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row that `follow` can take is reached by some answers of a service, and no row is missing."""
    used: set[tuple[ResumeState, ResumeOutcome]] = set()

    class Noting(dict[Any, Any]):
        def __getitem__(self, key: Any) -> Any:
            used.add(key)
            return super().__getitem__(key)

    monkeypatch.setattr(module, "TRANSITIONS", Noting(TRANSITIONS))
    for interaction_id in (None, "v1_x"):
        stories: list[tuple[Answer, ...]] = [()]
        known = set()
        for story in stories:  # grows while it is read, by each situation that is new
            situation = play(interaction_id, story)
            if situation is not None and repr(situation[0]) not in known:
                known.add(repr(situation[0]))
                stories += [(*story, answer) for answer in possible(situation[1])]
    assert set(TRANSITIONS) == used


def test_the_end_is_reached_from_everywhere() -> None:
    """From each state some outcomes lead to the end, and none leads out of it."""
    ends = {ResumeState.OVER}
    for _ in ResumeState:
        ends |= {state for (state, _), (following, _) in TRANSITIONS.items() if following in ends}
    assert ends == set(ResumeState)
    assert ResumeState.OVER not in {state for state, _ in TRANSITIONS}
