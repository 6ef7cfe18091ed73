"""Comparing both sides of a gateway: what is lost, changed, added, doubled, moved, invented or the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.checks.gateway.judge_requests import query
from harness.checks.gateway.relay_diff import (
    Kind,
    Pairs,
    changes,
    compare_streams,
    difference,
    differences,
    is_another_model,
)
from harness.contract import load, read
from harness.kit.relay import RelayedExchange
from harness.wire import (
    COMPLETE,
    Chunk,
    Decoder,
    Exchange,
    ExchangeBuilder,
    Frame,
    Headers,
    Request,
    UntilClose,
    encode,
)
from tests.in_one_test import in_one_test

LOST, CHANGED, ADDED = Kind.LOST, Kind.CHANGED, Kind.ADDED


@in_one_test(
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1.0}, {"a": 1}, []),
        ({"a": 5}, {"a": 5.0}, [(Kind.ROUNDED, "$.a")]),
        ({"a": 2**53 + 1}, {"a": 2**53}, [(Kind.ROUNDED, "$.a")]),
        ({"a": 2**53 + 1}, {"a": 2**53 + 4}, [(CHANGED, "$.a")]),
        ({"a": 5}, {"a": 6}, [(CHANGED, "$.a")]),
        ({"a": True}, {"a": 1}, [(CHANGED, "$.a")]),
        ({"a": 0}, {"a": False}, [(CHANGED, "$.a")]),
        ({"a": "1"}, {"a": 1}, [(CHANGED, "$.a")]),
        ({"a": None}, {}, []),
        ({"a": 0}, {}, [(LOST, "$.a")]),
        ({}, {"a": None}, [(ADDED, "$.a")]),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {}]}}, [(LOST, "$.a.b[1].c")]),
        ({"a": [1, 2]}, {"a": [1]}, [(CHANGED, "$.a")]),
        ({"a": [1, 2]}, {"a": [2, 1]}, [(CHANGED, "$.a[0]"), (CHANGED, "$.a[1]")]),
        ({"a": {}}, {"a": []}, [(CHANGED, "$.a")]),
        ([1], {"a": 1}, [(CHANGED, "$")]),
        ({"model": "a"}, {"model": "b"}, []),
        ({"id": "a"}, {"id": "b"}, []),
        ({"id": "a", "steps": [{"id": "a"}]}, {"id": "b", "steps": [{"id": "b"}]}, []),
        ({"id": "a", "steps": [{"id": "a"}]}, {"id": "b", "steps": [{"id": "c"}]}, [(CHANGED, "$.steps[0].id")]),
        ({"id": "a", "steps": [{"id": "c"}]}, {"id": "b", "steps": [{"id": "b"}]}, [(CHANGED, "$.steps[0].id")]),
        ({"id": "a"}, {}, [(LOST, "$.id")]),
        ({"id": "a"}, {"id": 7}, [(CHANGED, "$.id")]),
    ]
)
def test_what_is_a_change(before: Any, after: Any, expected: list[tuple[Kind, str]]) -> None:
    """Bodies are compared field by field at any depth; ids may be replaced, but only one for one."""
    assert [(change.kind, change.pointer) for change in changes(before, after, Pairs())] == expected


@pytest.mark.parametrize(
    ("before", "after", "another"),
    [
        ("gemini-3.8-flash", "gemini-3.5-flash-lite", True),
        ("models/gemini-3.8-flash", "gemini-3.8-flash", False),
        ("gemini-3.8-flash", "models/gemini-4-carbon", True),
        ("gemini-3.7-flash", "gemini-3.8-flash", False),  # Google routes the first name there
        ("gemini-3.7-flash", "gemini-3.6-flash", True),
        ("gemini-flash-latest", "gemini-3.8-flash", False),
        ("deep-research-preview-04-2026", "deep-research-max-preview-04-2026", True),
        ("fast", "gemini-3.8-flash", False),
        ("gemini-3.8-flash", "internal-9", False),
        (None, "gemini-3.8-flash", False),
    ],
)
def test_a_model_instead_of_another_is_no_alias(before: Any, after: Any, another: bool) -> None:
    """Two names that Google gave are two models, unless the first one stands for the second."""
    assert is_another_model(before, after) is another


def frames(*texts: str) -> list[Frame]:
    """A stream of deltas, one per word; `!` is the completion, `.` the sentinel, `{` broken JSON."""
    special = {"!": b'{"event_type":"interaction.completed"}', ".": b"[DONE]", "{": b'{"event'}
    data = [special.get(text, json.dumps({"event_type": "step.delta", "text": text}).encode()) for text in texts]
    return Decoder().feed(b"".join(encode(None, one) for one in data))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("ab!.", "ab!.", {}),
        ("aab!.", "aab!.", {}),
        ("ab!.", "a!.", {"lost": [1]}),
        ("aab!.", "ab!.", {"lost": [1]}),
        ("ab!.", "ab!", {"lost": [3]}),
        ("ab!.", "abb!.", {"doubled": [2]}),
        ("ab!.", "ab!.ab!.", {"doubled": [4, 5, 6, 7]}),
        ("abc!.", "acb!.", {"moved": [2]}),
        ("abc!.", "bca!.", {"moved": [2]}),
        ("ab!.", "axb!.", {"invented": [1]}),
        ("ab", "ab!.", {"invented": [2, 3]}),
        ("abc!.", "axc!.", {"changed": [(1, 1)]}),
        ("abc!.", "xyz!.", {"changed": [(0, 0), (1, 1), (2, 2)]}),
        ("a{c!.", "a{c!.", {}),
        ("a{c!.", "ac!.", {"lost": [1]}),
        ("", "", {}),
        ("a", "", {"lost": [0]}),
        ("", "a", {"invented": [0]}),
    ],
)
def test_what_became_of_events(before: str, after: str, expected: dict[str, list[Any]]) -> None:
    """Each event that differs is reported in exactly one way."""
    found = compare_streams(frames(*before), frames(*after))
    told: dict[str, list[Any]] = {
        name: numbers
        for name in ("lost", "doubled", "moved", "invented")
        if (numbers := sorted(told.number for told in getattr(found, name)))
    }
    if found.changed:
        told["changed"] = [(one.number, other.number) for one, other in found.changed]
    assert told == {name: list(numbers) for name, numbers in expected.items()}


STREAM = "/v1beta/interactions/a?stream=true"


def relayed(name: str, asked: str = STREAM, got: str = STREAM, *, events: tuple[bytes, bytes]) -> RelayedExchange:
    """A GET of a stream through a gateway: what the upstream sent, and what the client received."""

    def answer(target: str, body: bytes) -> Exchange:
        builder = ExchangeBuilder(Request("GET", target))
        builder.head(200, Headers([("content-type", "text/event-stream")]), UntilClose())
        builder.chunk(Chunk(body), 0.0)
        made = builder.finish(COMPLETE, 0.0)
        read(made, load())
        return made

    sent, received = events
    return RelayedExchange(name=name, client=answer(asked, received), upstream=(answer(got, sent),))


EVENT = b'data: {"event_type": "step.stop", "index": 0}\n\n'


def test_an_event_that_came_twice_says_what_was_expected() -> None:
    """Both sides of the finding are events: one, and the same again."""
    one = relayed("stream.create", events=(EVENT, EVENT * 2))
    (found,) = differences("gw.events", one, difference(one))
    assert (found.message, found.actual) == ("1 event came twice", "the same event twice")
    assert "step.stop" in found.expected


def test_a_parameter_that_is_always_lost_is_no_matter_of_open_streams() -> None:
    """The request beside six streams may come first: the finding is that of the single one."""
    asked = f"{STREAM}&last_event_id=x"
    both = [relayed(name, asked, events=(EVENT, EVENT)) for name in ("busy.rest", "resume.from")]
    assert [found.stable_code for found in query(both)] == ["gw.query/stream"]
    assert [found.stable_code for found in query(both[:1])] == ["gw.query/crowd"]
