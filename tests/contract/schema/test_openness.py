"""Every example of a response, changed in every place: what is new is tolerated, what is wrong is named there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from harness.contract import load
from harness.contract.schema.openness import close, step_into
from harness.contract.tables.protocol import OPERATIONS
from tests.in_one_test import in_one_test

Place = tuple[str | int, ...]
Json = dict[str, Any]

SCHEMAS = load().schemas
LIVE = {"live/client-event", "live/server-event"}
ROOTS = sorted({one.schema for one in OPERATIONS if one.schema} | {"event", "error-body"} | LIVE)
MAPS = {"env", "answers", "labels", "headers"}
"""Members that map names of the user's own: a new one is no unknown field, and has the type of the others."""

FREE = {
    "arguments", "parameters", "success", "raw_prompt_token", "model_invocation_token_counts", "response_format",
    "code",
}  # fmt: skip
"""Members whose values, or the values within them, may have any type."""


@cache
def list_messages() -> list[tuple[str, Any]]:
    """Whole messages, which contain every example of a part: the name of the schema, and the value."""
    found = [(name, example) for name in ROOTS for example in SCHEMAS.document(name).get("examples", ())]
    for name in SCHEMAS.names():
        for example in SCHEMAS.document(name).get("examples", ()):
            found += [(root, value) for root, value in _place(name, example) if SCHEMAS.validator(root)]
    return found


def _place(name: str, example: Any) -> Iterator[tuple[str, Json]]:
    """The messages in which an example of a part stands."""
    said = {"type": "model_output", "content": [{"type": "text", "text": "a", "annotations": [example]}]}
    match name.partition("/")[0]:
        case "events":
            yield "event", example
        case "steps":
            yield "interaction", {"status": "completed", "steps": [example]}
            yield "event", {"event_type": "step.start", "index": 0, "step": example}
        case "deltas":
            yield "event", {"event_type": "step.delta", "index": 0, "delta": example}
        case "contents" if name != "contents/function-result":  # a request may have it, a response has none
            result = {"call_id": "c", "result": [example]}
            steps = [
                {"type": "model_output", "content": [example]},
                {"type": "function_result", **result},
                {"type": "mcp_server_tool_result", **result},
            ]
            yield "interaction", {"status": "completed", "steps": steps, "input": [example]}
        case "annotations":
            yield "interaction", {"status": "completed", "steps": [said]}
        case "tools":
            yield "interaction", {"status": "completed", "tools": [example]}
        case "environment-config":
            yield "interaction", {"status": "completed", "environment": example}
        case "agent-config" | "generation-config":
            yield "interaction", {"status": "completed", name.replace("-", "_"): example}


def list_places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every part of a value, and its place."""
    yield place, value
    for key, part in (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    ):
        yield from list_places(part, (*place, key))


def change(value: Any, place: Place, other: Any) -> Any:
    """The value with another one in a place."""
    if not place:
        return other
    copy = {**value} if isinstance(value, dict) else [*value]
    copy[place[0]] = change(value[place[0]], place[1:], other)
    return copy


def list_news(value: Any, place: Place) -> Iterator[Any]:
    """A part as a newer API may show it: one more member, another kind beside the known ones, another word."""
    match value:
        case dict() if not (place and place[-1] in MAPS):
            yield {**value, "x_new": 1}
        case [dict() as first, *_]:
            yield [*value, {**first, "type": "hologram"}]
            yield [{**first, "type": "hologram"}, *value]
        case str() if not re.match(r"\d{4}-\d\d-\d\d|\d+$", value):
            yield "hologram"


@in_one_test(root=ROOTS)
def test_what_is_new_is_tolerated_and_named(root: str) -> None:
    """It fits, unless it is text that the schema does not list; the closed twin rejects just what is unknown."""
    validator, twin = SCHEMAS.validator(root), Draft202012Validator(close(SCHEMAS.bundle(root), keep=False))
    for name, message in list_messages():
        for place, value in list_places(message) if name == root else ():
            for new in list_news(value, place):
                changed = change(message, place, new)
                review = validator.review(changed)
                assert review.problems == (), (place, new)
                assert bool(review.unknowns) != twin.is_valid(changed), (place, new)


@pytest.mark.parametrize("root", ROOTS)
def test_what_has_another_type_is_named_where_it_stands(root: str) -> None:
    validator = SCHEMAS.validator(root)
    for name, message in list_messages():
        for place, value in list_places(message) if name == root else ():
            wrong = [] if isinstance(value, int | float) and not isinstance(value, bool) else 7
            problems = validator.problems(change(message, place, wrong))
            if problems or FREE.isdisjoint(map(str, place)):
                assert problems[0].pointer == point_at(place), (place, message)
                assert "should be" in problems[0].message


@in_one_test(root=ROOTS)
def test_what_is_missing_is_named_where_it_should_stand(root: str) -> None:
    validator = SCHEMAS.validator(root)
    for name, message in list_messages():
        for place, value in list_places(message) if name == root else ():
            for member in value if isinstance(value, dict) else ():
                rest = {key: part for key, part in value.items() if key != member}
                for problem in validator.problems(change(message, place, rest))[:1]:
                    assert problem.pointer == point_at(place), (place, member)
                    assert problem.message == f'"{member}" is required'


def point_at(place: Place) -> str:
    """The pointer of a place."""
    pointer = "$"
    for key in place:
        pointer = step_into(pointer, key)
    return pointer


def test_each_kind_of_part_is_among_the_messages() -> None:
    """Otherwise nothing would be changed in it."""
    places = [place for _, message in list_messages() for place, _ in list_places(message)]
    assert len(places) > 1_500
    assert {"steps", "delta", "annotations", "tools", "environment", "agent_config"} <= {
        str(key) for place in places for key in place
    }
