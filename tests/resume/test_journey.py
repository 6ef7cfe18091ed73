"""A journey over damaged answers: nothing that a service says raises anything but `GaveUp`."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.emulator import Emulator
from harness.resume import GaveUp, Patience
from harness.resume.journey import Journey
from harness.runner.drops import Case, Source

ODD: tuple[Any, ...] = (
    None, True, -1, 10**30, 1.5, "x", [], ["x"], [[1]], [None], {}, {"a": 1}, [{}], {"type": ["x"]},
    [{"type": ["x"]}], {"type": "text", "text": ["x"]},
)  # fmt: skip
"""What a field may hold in the place of what it should."""

Path = tuple[Any, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value, the value itself first."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*path, key))


def damaged(value: Any) -> Iterator[Any]:
    """The value with one of its places taken by each odd one."""
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


def travelled(journey: Journey, events: list[Any], interaction: Any) -> None:
    """Stream twice what never completes, then look; read all that can be asked of it."""
    for _ in range(2):
        journey.move()
        for event in events:
            list(journey.feed(b"data: " + json.dumps(event).encode() + b"\n\n"))
            if journey.hung_up:
                break
        journey.ended()
    if isinstance(interaction, dict) and not journey.over:
        list(journey.polled(interaction))
    journey.text()
    journey.interaction()


@pytest.fixture(scope="module")
def told() -> tuple[list[Any], Any]:
    """The events of a whole stream without its completion, and the interaction as GET has it."""
    emulator = Emulator()
    source = Source(emulator, Case(plan="pass"))
    return source.whole_of(source.id)[:-1], emulator.look(source.id)


def test_damaged_events(told: tuple[list[Any], Any]) -> None:
    """Any field of any event may hold anything."""
    events, interaction = told
    for number, event in enumerate(events):
        for other in damaged(event):
            unless_given_up([*events[:number], other, *events[number + 1 :]], interaction)


def test_damaged_interactions(told: tuple[list[Any], Any]) -> None:
    """Any field of what GET answers may hold anything, after a part of the stream and without any."""
    events, interaction = told
    for other in damaged(interaction):
        for seen in (events[:6], []):
            unless_given_up(seen, other)


def unless_given_up(events: list[Any], interaction: Any) -> None:
    """Travel; to give up is fine, anything else tells what was damaged."""
    try:
        travelled(Journey(Patience(), "v1_x", None), events, interaction)
    except GaveUp:
        pass
    except Exception as error:
        error.add_note(f"events: {events}\ninteraction: {interaction}")
        raise
