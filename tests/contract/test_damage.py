"""Systematic damage: what breaks a MUST is found, whichever event it hits, in streams and in bodies.

The damages are made by rule, not by hand: each is applied wherever it applies in a stream of our own and, where
there is a corpus, in every recorded stream and body.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.contract import judge_interaction
from harness.contract.rules import BY_ID
from harness.outcome import Finding, Level
from harness.wire import encode
from tests.contract.corpus import files, needs_corpus
from tests.contract.streams import DONE, WHOLE, Event, frames, judge, payload

Damaged = tuple[str, bytes]


def musts(findings: tuple[Finding, ...] | list[Finding]) -> set[str]:
    """The binding rules that are broken."""
    return {finding.rule for finding in findings if BY_ID[finding.rule].level is Level.MUST}


def _kind(event: Event) -> str:
    return str(event.get("event_type"))


def dropped(events: list[Event]) -> Iterator[Damaged]:
    """Each event whose absence leaves others without ground: the creation, starts, stops."""
    for at, event in enumerate(events):
        needed = _kind(event) in ("interaction.created", "step.stop") or (
            _kind(event) == "step.start" and _kind(events[at + 1]) != "step.start"
        )
        if needed:
            yield f"drop {at} {_kind(event)}", frames(events[:at] + events[at + 1 :])


def doubled(events: list[Event]) -> Iterator[Damaged]:
    """Each stop and the completion, twice."""
    for at, event in enumerate(events):
        if _kind(event) in ("step.stop", "interaction.completed"):
            yield f"double {at} {_kind(event)}", frames([*events[: at + 1], *events[at:]])


def swapped(events: list[Event]) -> Iterator[Damaged]:
    """Neighbours of one step whose order matters."""
    for at in range(len(events) - 1):
        one, other = _kind(events[at]), _kind(events[at + 1])
        if (one, other) in (("step.start", "step.delta"), ("step.delta", "step.stop")) or at == 0:
            order = [*events[:at], events[at + 1], events[at], *events[at + 2 :]]
            yield f"swap {at} {one}", frames(order)


def stripped(events: list[Event]) -> Iterator[Damaged]:
    """Each required field gone."""
    required = {
        "interaction.created": ("interaction", "event_type"),
        "interaction.status_update": ("interaction_id", "status", "event_type"),
        "step.start": ("index", "step", "event_type"),
        "step.delta": ("index", "delta", "event_type"),
        "step.stop": ("index", "event_type"),
        "interaction.completed": ("interaction", "event_type"),
    }
    for at, event in enumerate(events):
        for name in required.get(_kind(event), ()):
            less = {key: value for key, value in event.items() if key != name}
            yield f"strip {at} {name}", _framed(events, at, payload(less))


def retyped(events: list[Event]) -> Iterator[Damaged]:
    """Each field of another JSON type than it has."""
    for at, event in enumerate(events):
        for name, value in event.items():
            if name != "metadata":
                wrong = {**event, name: 7 if isinstance(value, str) else "7"}
                yield f"retype {at} {name}", _framed(events, at, payload(wrong))


def torn(events: list[Event]) -> Iterator[Damaged]:
    """Each payload cut in its middle, in an orderly frame."""
    for at, event in enumerate(events):
        whole = payload(event)
        yield f"tear {at}", _framed(events, at, whole[: len(whole) // 2])


def misdirected(events: list[Event]) -> Iterator[Damaged]:
    """Each delta and stop for a step that does not exist, each update for another interaction."""
    for at, event in enumerate(events):
        if _kind(event) in ("step.delta", "step.stop"):
            yield f"misdirect {at}", _framed(events, at, payload({**event, "index": 77}))
        if event.get("interaction_id"):  # an unstored interaction has none to differ from
            yield f"misdirect {at}", _framed(events, at, payload({**event, "interaction_id": "other"}))


def trailing(events: list[Event]) -> Iterator[Damaged]:
    """Each event once more, after the sentinel and after the completion."""
    for at, event in enumerate(events):
        yield f"after done {at}", frames(events) + encode(_kind(event), payload(event))
        if _kind(event) != "interaction.completed":
            yield f"after completed {at}", frames([*events, event])


def cut_short(events: list[Event]) -> Iterator[Damaged]:
    """The body ends in order behind a completed line of each event, its blank line missing."""
    stream = b""
    for at, event in enumerate(events):
        stream += encode(_kind(event), payload(event))
        yield f"cut {at}", stream[:-1]


def _framed(events: list[Event], at: int, data: bytes) -> bytes:
    damaged = encode(_kind(events[at]), data)
    return frames([*events[:at], damaged, *events[at + 1 :]])


DAMAGES: tuple[Callable[[list[Event]], Iterator[Damaged]], ...] = (
    dropped, doubled, swapped, stripped, retyped, torn, misdirected, trailing, cut_short,
)  # fmt: skip


def undetected(events: list[Event]) -> tuple[int, list[str]]:
    """How many damages there are of one stream, and the names of those that broke no MUST."""
    damaged = [item for damage in DAMAGES for item in damage(events)]
    return len(damaged), [name for name, stream in damaged if not musts(judge(stream).findings)]


def test_every_damage_of_our_own_stream_is_found() -> None:
    """More than a hundred ways to break a stream with a thought, an answer and a call are all found."""
    count, missed = undetected(WHOLE)
    assert missed == []
    assert count > 100


@needs_corpus
def test_every_damage_of_recorded_streams_is_found() -> None:
    """The same damages of every recorded stream are all found."""
    total = 0
    for path in files("sse"):
        lines = [line.removeprefix("data: ") for line in path.read_text("utf-8").splitlines()]
        events = [json.loads(line) for line in lines if line.startswith("{")]
        count, missed = undetected(events)
        assert missed == [], path.name
        total += count
    assert total >= 200


BODY = {
    "id": "v1_a",
    "status": "completed",
    "created": "2026-05-12T18:44:51Z",
    "updated": "2026-05-12T18:44:52Z",
    "model": "m",
    "steps": [
        {"type": "thought", "signature": "c2ln"},
        {"type": "model_output", "content": [{"type": "text", "text": "hi", "annotations": []}]},
        {"type": "function_call", "id": "c", "name": "f", "arguments": {}},
    ],
    "usage": {"total_input_tokens": 1, "total_output_tokens": 2, "total_thought_tokens": 0, "total_tokens": 3},
}


def damaged_bodies(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The body with each known field of another type, each required one gone."""
    yield "no status", {key: value for key, value in body.items() if key != "status"}
    for name in body.keys() & {"id", "status", "steps", "usage", "model"}:
        yield f"retype {name}", {**body, name: 7}
    for at, step in enumerate(body.get("steps", ())):
        for name in step.keys() & {"type", "content", "signature", "arguments", "id", "call_id", "name"}:
            broken = copy.deepcopy(body)
            broken["steps"][at][name] = 7
            yield f"retype step {at} {name}", broken
        if "type" in step:
            broken = copy.deepcopy(body)
            del broken["steps"][at]["type"]
            yield f"untyped step {at}", broken
    for name, value in body.get("usage", {}).items():
        if isinstance(value, int) and name.startswith("total_"):
            yield f"negative {name}", {**body, "usage": {**body["usage"], name: -1}}


def test_every_damage_of_our_own_body_is_found() -> None:
    """A body with one field wrong breaks a MUST; the body itself breaks nothing."""
    assert judge_interaction(BODY) == []
    missed = [name for name, body in damaged_bodies(BODY) if not musts(judge_interaction(body))]
    assert missed == []


@needs_corpus
def test_every_damage_of_recorded_bodies_is_found() -> None:
    """The same damages of every recorded body are all found."""
    for path in files("response"):
        missed = [
            name
            for name, body in damaged_bodies(json.loads(path.read_bytes()))
            if not musts(judge_interaction(body))
        ]
        assert missed == [], path.name


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_does_something(damage: Callable[[list[Event]], Iterator[Damaged]]) -> None:
    """No damage is empty, and none leaves the stream as it was."""
    results = [stream for _, stream in damage(WHOLE)]
    assert results
    assert frames(WHOLE) not in results
    assert DONE in frames(WHOLE)
