"""The closed twin of a schema, and the unknowns that an open schema accepts, on small schemas of our own."""

from __future__ import annotations

import pytest

from harness.contract import CURRENT, load
from harness.contract.schema import openness
from harness.contract.schema.openness import UnknownPart, close, step_into, unknowns

LISTED = {"type": "object", "properties": {"a": {"type": "integer"}}}
KNOWN = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "k"}}}
OTHER = {
    "type": "object",
    "required": ["kind"],
    "properties": {"kind": {"type": "string", "not": {"enum": ["k"]}}},
    "x-open": True,
    "x-unknown": "thing",
}

CLOSED = {
    "an object that lists its properties": (LISTED, {**LISTED, "additionalProperties": False}),
    "an object open on purpose": ({**LISTED, "x-open": True}, {**LISTED, "x-open": True}),
    "an object that says what else may come": (
        {**LISTED, "additionalProperties": {"type": "string"}},
        {**LISTED, "additionalProperties": {"type": "string"}},
    ),
    "a rule between fields": ({"properties": {"a": {"const": 1}}}, {"properties": {"a": {"const": 1}}}),
    "an object inside a condition": ({"if": LISTED}, {"if": LISTED}),
    "published values": ({"x-known-values": ["a"]}, {"x-known-values": ["a"], "enum": ["a"]}),
    "published values, open on purpose": (
        {"x-known-values": ["a"], "x-open": True},
        {"x-known-values": ["a"], "x-open": True},
    ),
    "an item": ({"items": LISTED}, {"items": {**LISTED, "additionalProperties": False}}),
    "a branch for the unknown": ({"oneOf": [{"type": "string"}, OTHER]}, {"oneOf": [{"type": "string"}]}),
    "a branch to keep": ({"oneOf": [{**OTHER, "x-keep": True}]}, {"oneOf": [{**OTHER, "x-keep": True}]}),
}

FOUND = {
    "nothing": (LISTED, {"a": 1}, []),
    "a field": (LISTED, {"b": 1}, [UnknownPart("$.b", "field", "b")]),
    "a field of an item": ({"items": LISTED}, [{}, {"b": 1}], [UnknownPart("$[1].b", "field", "b")]),
    "a value": ({"type": "string", "x-known-values": ["a"]}, "b", [UnknownPart("$", "value", "b")]),
    "a discriminator": ({"oneOf": [KNOWN, OTHER]}, {"kind": "z", "b": 1}, [UnknownPart("$.kind", "thing", "z")]),
    "a field of a known branch": (
        {"oneOf": [KNOWN, OTHER]},
        {"kind": "k", "b": 1},
        [UnknownPart("$.b", "field", "b")],
    ),
    "a field behind a reference": (
        {"$ref": "#/$defs/a", "$defs": {"a": LISTED}},
        {"b": 1},
        [UnknownPart("$.b", "field", "b")],
    ),
}


@pytest.mark.parametrize(("schema", "twin"), CLOSED.values(), ids=CLOSED)
def test_closing_touches_exactly_what_the_marks_say(schema, twin):
    """Objects with listed properties and known values are closed; conditions and open schemas are not."""
    assert close(schema) == twin


def test_closing_without_keeping_drops_every_branch_for_the_unknown():
    assert close({"oneOf": [KNOWN, {**OTHER, "x-keep": True}]}, keep=False) == {
        "oneOf": [{**KNOWN, "additionalProperties": False}]
    }


def test_closing_leaves_the_open_schema_alone():
    schema = {"oneOf": [LISTED, OTHER]}
    close(schema)
    assert schema == {"oneOf": [LISTED, OTHER]}
    assert "additionalProperties" not in LISTED


@pytest.mark.parametrize(("schema", "value", "expected"), FOUND.values(), ids=FOUND)
def test_the_unknown_is_found_where_it_stands(schema, value, expected):
    """Each unknown field, value and discriminator is reported once, with its pointer."""
    assert unknowns(schema, value) == expected


@pytest.mark.parametrize(
    ("part", "pointer"), [("a", "$.a"), (0, "$[0]"), ("a b", '$["a b"]'), ("a.b", '$["a.b"]')]
)
def test_a_pointer_quotes_odd_names(part, pointer):
    assert step_into("$", part) == pointer


def test_a_value_like_one_before_is_not_tried_against_each_branch_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand unknown steps and a thousand that are none, the branch is looked for once each."""
    tried = []
    fits = openness._fits
    monkeypatch.setattr(openness, "_fits", lambda *known: tried.append(known) or fits(*known))
    steps = [{"type": "what", "content": 1}, 5] * 1000
    found = unknowns(load(CURRENT).schemas.bundle("interaction"), {"steps": steps})
    assert [part.name for part in found if part.kind == "step"] == ["what"] * 1000
    assert len(tried) < 500
