"""A `ResumeMachine` over damaged answers: whatever the service sends, only `GaveUp` is raised."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.emulator import Emulator
from harness.resume import GaveUp, RetryLimits
from harness.resume.state_machine import ResumeMachine
from tests.benches.client.cases import new_case, new_source

ODD: tuple[Any, ...] = (
    None, True, -1, 10**30, 1.5, "x", [], ["x"], [[1]], [None], {}, {"a": 1}, [{}], {"type": ["x"]},
    [{"type": ["x"]}], {"type": "text", "text": ["x"]},
)  # fmt: skip
"""Unexpected values to put in place of a field."""

Path = tuple[Any, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every place in a JSON value, its root first."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*path, key))


def damaged(value: Any) -> Iterator[Any]:
    """Copies of the value, each with one place replaced by one of the odd values."""
    for path in paths(value):
        for odd in ODD:
            if not path:
                yield odd
                continue
            other = copy.deepcopy(value)
            holder = other
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = odd
            yield other


def travelled(machine: ResumeMachine, events: list[Any], interaction: Any) -> None:
    """Read two streams that never complete, then a GET, and use everything that the machine offers."""
    for _ in range(2):
        machine.move()
        for event in events:
            list(machine.feed(b"data: " + json.dumps(event).encode() + b"\n\n"))
            if machine.hung_up:
                break
        machine.note_end()
    if isinstance(interaction, dict) and not machine.over:
        list(machine.take_poll(interaction))
    machine.text()
    machine.interaction()


@pytest.fixture(scope="module")
def told() -> tuple[list[Any], Any]:
    """The events of a whole stream without its completion, and the interaction that GET returns."""
    emulator = Emulator()
    source = new_source(new_case(), emulator)
    return source.whole_of(source.id)[:-1], emulator.look(source.id)


@pytest.mark.slow
def test_damaged_events(told: tuple[list[Any], Any]) -> None:
    """Any field of any event may hold any value."""
    events, interaction = told
    for number, event in enumerate(events):
        for other in damaged(event):
            unless_given_up([*events[:number], other, *events[number + 1 :]], interaction)


@pytest.mark.slow
def test_damaged_interactions(told: tuple[list[Any], Any]) -> None:
    """Any field of the answer to GET may hold any value, both after part of a stream and without one."""
    events, interaction = told
    for other in damaged(interaction):
        for seen in (events[:6], []):
            unless_given_up(seen, other)


def unless_given_up(events: list[Any], interaction: Any) -> None:
    """Run the machine; `GaveUp` is allowed, and any other exception names the damaged value."""
    try:
        travelled(ResumeMachine(RetryLimits(), "v1_x", None), events, interaction)
    except GaveUp:
        pass
    except Exception as error:
        error.add_note(f"events: {events}\ninteraction: {interaction}")
        raise
