"""The emulator's messages have the same fields in the same places as the recordings of the live service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.contract.corpus import files, needs_corpus
from tests.emulator.client import Api

Json = dict[str, Any]
Shape = tuple[frozenset[str], frozenset[str]]
"""The fields that all messages of a kind have, and the fields that at least one of them has."""

FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CREATES: list[Json] = [
    {},
    {"tools": [{"type": "google_search"}]},
    {"tools": [FUNCTION]},
    {"generation_config": {"thinking_summaries": "auto"}},
    {"response_format": {"type": "text", "mime_type": "application/json", "schema": {"type": "object"}}},
    {"generation_config": {"max_output_tokens": 38}},
    {"store": False},
]
OURS_ALONE = {
    # the only recorded stream with a search is from Gemini 2.5; Gemini 3 signs it, as bodies and the guide show
    ("delta google_search_call", "/signature"),
    ("delta google_search_result", "/signature"),
    # … and counts searches by query
    ("interaction.completed", "/interaction/usage/grounding_tool_count"),
    ("interaction.completed", "/interaction/usage/grounding_tool_count/*"),
    ("interaction.completed", "/interaction/usage/grounding_tool_count/*/count"),
    ("interaction.completed", "/interaction/usage/grounding_tool_count/*/type"),
}
"""What the emulator rightly has although no recording does; the comments give the reasons."""


def pointers(value: Any, place: str = "") -> Iterator[str]:
    """Yield the path of every place inside a value, except inside `arguments`, whose names the caller chooses."""
    members: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict) and not place.endswith("/arguments"):
        members = value.items()
    elif isinstance(value, list):
        members = (("*", item) for item in value)
    for name, inner in members:
        yield f"{place}/{name}"
        yield from pointers(inner, f"{place}/{name}")


def parts_of_stream(events: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    """Yield kind and value of each part of a stream; steps and deltas are separate from the events around them."""
    for event in events:
        kind = event["event_type"]
        part = {"step.start": "step", "step.delta": "delta"}.get(kind)
        if part is not None:
            yield f"{'start' if part == 'step' else 'delta'} {event[part]['type']}", event[part]
        yield kind, {name: value for name, value in event.items() if name != part}


def parts_of_body(body: Json) -> Iterator[tuple[str, Json]]:
    """Yield the interaction without its steps, then each step."""
    yield "interaction", {name: value for name, value in body.items() if name != "steps"}
    for step in body.get("steps", ()):
        yield f"step {step['type']}", step


def shapes(parts: Iterable[tuple[str, Json]]) -> dict[str, Shape]:
    """Return the shape of each kind."""
    found: dict[str, Shape] = {}
    for kind, value in parts:
        here = frozenset(pointers(value))
        always, ever = found.get(kind, (here, frozenset()))
        found[kind] = always & here, ever | here
    return found


def recorded() -> dict[str, Shape]:
    """Return the shapes found in the corpus."""
    parts: list[tuple[str, Json]] = []
    for path in files("sse"):
        lines = (line.removeprefix("data: ") for line in path.read_text("utf-8").splitlines())
        parts += parts_of_stream(json.loads(line) for line in lines if line.startswith("{"))
    for path in files("response"):
        parts += parts_of_body(json.loads(path.read_text("utf-8")))
    return shapes(parts)


def emulated() -> dict[str, Shape]:
    """Return the shapes that the emulator produces for foreground creates, streamed and not streamed."""
    api, parts = Api(), list[tuple[str, Json]]()
    for fields in CREATES:
        parts += parts_of_body(api.create("Hi there.", **fields).json)
        parts += parts_of_stream(api.create("Hi there.", stream=True, **fields).events[:-1])
    return shapes(parts)


def differing(ours: dict[str, Shape], theirs: dict[str, Shape]) -> Iterator[str]:
    """Yield each field that all recordings have and we lack, or that no recording has and we have."""
    for kind in sorted(ours.keys() & theirs.keys()):
        (always, ever), (ours_always, ours_ever) = theirs[kind], ours[kind]
        yield from (f"{kind} lacks {place}" for place in sorted(always - ours_always))
        alone = {place for place in ours_ever - ever if not counted_in_bodies(place, theirs)}
        yield from (f"{kind} has {place}" for place in sorted(alone) if (kind, place) not in OURS_ALONE)


def counted_in_bodies(place: str, theirs: dict[str, Shape]) -> bool:
    """Whether a counter of a stream's end is one of bodies: only one recorded search has the newest, in a body."""
    return (
        place.startswith("/interaction/usage/") and place.removeprefix("/interaction") in theirs["interaction"][1]
    )


@needs_corpus
def test_fields_are_those_of_recordings():
    """The emulator always has the fields that every recording has, and never a field that no recording has."""
    ours, theirs = emulated(), recorded()
    compared = ours.keys() & theirs.keys()
    assert {"interaction", "interaction.completed", "start google_search_call", "step thought"} <= compared
    assert list(differing(ours, theirs)) == []
