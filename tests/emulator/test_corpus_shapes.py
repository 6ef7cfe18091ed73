"""What recordings of the live service agree on, the emulator does too: which fields are where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.contract.corpus import files, needs_corpus

from .client import Api

Json = dict[str, Any]
Shape = tuple[frozenset[str], frozenset[str]]
"""The fields that every message of a kind has, and those that any of them has."""

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
    {"generation_config": {"max_output_tokens": 26}},
    {"store": False},
]
OURS_ALONE = {
    # the one recorded stream of a search is Gemini 2.5's: Gemini 3 signs it, as bodies and the guide show
    ("delta google_search_call", "/signature"),
    ("delta google_search_result", "/signature"),
    # … and counts them by query
    ("interaction.completed", "/interaction/usage/grounding_tool_count"),
    ("interaction.completed", "/interaction/usage/grounding_tool_count/*"),
    ("interaction.completed", "/interaction/usage/grounding_tool_count/*/count"),
    ("interaction.completed", "/interaction/usage/grounding_tool_count/*/type"),
}
"""What no recording has although it is right, each with its reason."""


def pointers(value: Any, place: str = "") -> Iterator[str]:
    """Every place inside a value; what a caller names for itself (arguments) is not looked into."""
    members: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict) and not place.endswith("/arguments"):
        members = value.items()
    elif isinstance(value, list):
        members = (("*", item) for item in value)
    for name, inner in members:
        yield f"{place}/{name}"
        yield from pointers(inner, f"{place}/{name}")


def parts_of_stream(events: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    """Kind and value of all that a stream is made of: shells and deltas apart from their envelopes."""
    for event in events:
        kind = event["event_type"]
        part = {"step.start": "step", "step.delta": "delta"}.get(kind)
        if part is not None:
            yield f"{'start' if part == 'step' else 'delta'} {event[part]['type']}", event[part]
        yield kind, {name: value for name, value in event.items() if name != part}


def parts_of_body(body: Json) -> Iterator[tuple[str, Json]]:
    """The interaction, and its steps apart from it."""
    yield "interaction", {name: value for name, value in body.items() if name != "steps"}
    for step in body.get("steps", ()):
        yield f"step {step['type']}", step


def shapes(parts: Iterable[tuple[str, Json]]) -> dict[str, Shape]:
    """The shape of each kind."""
    found: dict[str, Shape] = {}
    for kind, value in parts:
        here = frozenset(pointers(value))
        always, ever = found.get(kind, (here, frozenset()))
        found[kind] = always & here, ever | here
    return found


def recorded() -> dict[str, Shape]:
    """The shapes in the corpus."""
    parts: list[tuple[str, Json]] = []
    for path in files("sse"):
        lines = (line.removeprefix("data: ") for line in path.read_text("utf-8").splitlines())
        parts += parts_of_stream(json.loads(line) for line in lines if line.startswith("{"))
    for path in files("response"):
        parts += parts_of_body(json.loads(path.read_text("utf-8")))
    return shapes(parts)


def emulated() -> dict[str, Shape]:
    """The shapes that the emulator makes of foreground creates, streamed and whole."""
    api, parts = Api(), list[tuple[str, Json]]()
    for fields in CREATES:
        parts += parts_of_body(api.create("Hi there.", **fields).json)
        parts += parts_of_stream(api.create("Hi there.", stream=True, **fields).events[:-1])
    return shapes(parts)


def differing(ours: dict[str, Shape], theirs: dict[str, Shape]) -> Iterator[str]:
    """Kind and place of each field that all recordings have and we miss, or that none has and we show."""
    for kind in sorted(ours.keys() & theirs.keys()):
        (always, ever), (ours_always, ours_ever) = theirs[kind], ours[kind]
        yield from (f"{kind} lacks {place}" for place in sorted(always - ours_always))
        yield from (f"{kind} has {place}" for place in sorted(ours_ever - ever) if (kind, place) not in OURS_ALONE)


@needs_corpus
def test_fields_are_those_of_recordings():
    """What every recording has is always there, and nothing is there that no recording has."""
    ours, theirs = emulated(), recorded()
    compared = ours.keys() & theirs.keys()
    assert {"interaction", "interaction.completed", "start google_search_call", "step thought"} <= compared
    assert list(differing(ours, theirs)) == []
