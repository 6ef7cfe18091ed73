"""Parsing bytes that may not be JSON returns None instead of raising; writing never raises either."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.wire import COMPLETE, Exchange, ExchangeBuilder, Headers, Length, Request
from harness.wire.bodies import (
    encode_json,
    find_ambiguous,
    find_given,
    given_values,
    json_or_none,
    object_or_none,
    replace_given,
)
from harness.wire.message import Chunk


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'{"a":1,"a":2}', "a"),
        (b'{"a":1,"b":{"c":[{"d":1,"d":2}]}}', "d"),
        (b'{"a":1,"\\u0061":2}', "a"),
        (b'{"a" :1,"a":2}', "a"),
        (b'{"a":"\\":","b":1}', ""),
        (b'{"a":1,"a":1}', ""),
        (b'{"a":{"a":1},"b":[{"a":2},{"a":3}]}', ""),
        (b'{"a":1,"a":', ""),
        (b"", ""),
    ],
)
def test_a_name_with_two_values_is_found(data: bytes, name: str) -> None:
    """Whatever hides it, but no text that looks like one, and none that says the same twice."""
    assert find_ambiguous(data, json_or_none(data)) == name


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1]}', {"a": [1]}),
        (b"[1]", [1]),
        (b"null", None),
        (b"", None),
        (b"{", None),
        (b'"\xff"', None),
        (b"[" * 200_000, None),
    ],
    ids=["object", "array", "null", "empty", "cut", "not UTF-8", "nested too deep"],
)
def test_bytes_are_a_value_or_none(data: bytes, value: Any) -> None:
    """Any bytes give a value or None without raising, and only a JSON object counts as an object."""
    assert json_or_none(data) == value
    assert object_or_none(data) == (value if isinstance(value, dict) else None)


def test_values_are_written_as_they_were_read() -> None:
    """Characters stay characters, compact or not, and half a surrogate, which cannot be UTF-8, does not raise."""
    assert encode_json({"a": ["é", 1]}) == '{"a": ["é", 1]}'.encode()
    assert encode_json({"a": ["é", 1]}, compact=True) == '{"a":["é",1]}'.encode()
    assert encode_json(json_or_none(b'"\\ud83e"')) == b'"\xed\xa0\xbe"'


# What an answer gives and later requests repeat is found by its place, and can be replaced by what is new.


def exchange(target: str, sent: object, body: bytes) -> Exchange:
    """One exchange."""
    data = b"" if sent is None else json.dumps(sent).encode()
    builder = ExchangeBuilder(Request("POST", target, Headers(), data))
    builder.head(200, Headers(), Length(len(body)))
    builder.chunk(Chunk(body), 0.0)
    return builder.finish(COMPLETE, 0.0)


STREAM = b"""data: {"event_type": "a", "event_id": "ev_1="}

data: {"event_type": "b", "event_id": "ev_2="}

"""


def test_ids_calls_and_cursors_are_found_by_their_place() -> None:
    """The id of a create, of a call in it, and the cursor of an event are named by answer, field and number."""
    trail = [
        exchange("/v1/interactions", {"model": "gemini"}, b'{"id": "v1_a", "steps": [{"id": "call_9"}]}'),
        exchange("/v1/interactions/v1_a?stream=true", None, STREAM),
        exchange("/v1/interactions/v1_a?last_event_id=ev_2%3D", None, b"{}"),
        exchange("/v1/interactions", {"input": [{"call_id": "call_9"}]}, b"{}"),
    ]
    found = [(value.answer, value.name, value.number, value.value) for value in given_values(trail)]
    assert found == [(0, "id", 0, "v1_a"), (0, "id", 1, "call_9"), (1, "event_id", 1, "ev_2=")]
    assert all(find_given(trail[a].body, name, number) == value for a, name, number, value in found)


def test_what_the_caller_said_first_was_not_given() -> None:
    """A value that an earlier request contained, or no later one does, is not given by an answer."""
    trail = [
        exchange("/v1/interactions/v1_a/cancel", None, b'{"id": "v1_a", "user_id": "nobody"}'),
        exchange("/v1/interactions/v1_a", None, b'{"id": "v1_a"}'),
    ]
    assert given_values(trail) == []


def test_only_whole_values_are_replaced() -> None:
    """An id is replaced in path and body, in its escaped spelling too, but not inside a longer one."""
    request = Request("POST", "/v1/a=b?x=a%3Db&y=xa%3Db-1", Headers(), b'{"one": "a=b", "two": "a=b-c"}')
    replaced = replace_given(request, "a=b", "n/w")
    assert replaced.target == "/v1/n/w?x=n%2Fw&y=xa%3Db-1"
    assert replaced.body == b'{"one": "n/w", "two": "a=b-c"}'


def test_a_place_that_is_not_there_gives_nothing() -> None:
    """If the new answer has fewer such fields, there is no value."""
    assert find_given(b'{"id": "only"}', "id", 1) is None
