"""How the reasons for a schema violation are chosen and worded, on small schemas made for these tests."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract import CURRENT, load
from harness.contract.schema.openness import close
from harness.contract.schema.schemas import Validator


def kind(name, **properties):
    """A branch of a union, identified by its `kind`."""
    return {
        "type": "object",
        "required": ["kind", *properties],
        "properties": {"kind": {"const": name}, **properties},
    }


UNION = {"oneOf": [kind("a", size={"type": "integer"}), kind("b", tag={"type": "string"})]}

TOLD = {
    "the branch meant": (UNION, {"kind": "a"}, "$", '"size" is required'),
    "the other branch": (UNION, {"kind": "b", "tag": 1}, "$.tag", "should be string, not number"),
    "no branch": (UNION, {"kind": "aa"}, "$.kind", 'unknown kind "aa"'),
    "no discriminator": (UNION, {"size": 1}, "$", '"kind" is required'),
    "another type": (UNION, "a", "$", "should be object, not string"),
    "a member without a name": (
        {"additionalProperties": {"properties": {"a": {"type": "integer"}}}},
        {"": {"a": "x"}},
        '$[""].a',
        "should be integer, not string",
    ),
    "a member that a number names": (
        {"additionalProperties": {"items": {"type": "integer"}}},
        {"a": [], "07": [1, "x"]},
        '$["07"][1]',
        "should be integer, not string",
    ),
    "two types": ({"oneOf": [{"type": "string"}, UNION]}, 5, "$", "should be string or object, not number"),
    "a boolean": ({"type": "integer"}, True, "$", "should be integer, not boolean"),
    "a near miss": ({"enum": ["apple", "pear"]}, "aple", "$", 'did you mean "apple"?'),
    "too many forms": ({"oneOf": [{"type": "string"}, {}]}, "a", "$", "more than one of the forms"),
    "a dependency": ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "$", '"a" goes only with "b"'),
    "a rule": ({"description": "a needs b", "x-rule": True, "anyOf": [{"required": ["a"]}]}, {}, "$", "a needs b"),
    "a field of an empty object": (
        {"type": "object", "properties": {}, "additionalProperties": False},
        {"a": 1},
        "$.a",
        '"a" is not a known field',
    ),
    "a negated pattern": ({"not": {"pattern": "[A-Z]"}}, "A", "$", '"A" has a form that is not allowed'),
    "a pattern with a description": (
        {"pattern": "^[0-9]+$", "description": "Digits only."},
        "A",
        "$",
        '"A" has a form that is not allowed: digits only',
    ),
    "another keyword": ({"minimum": 3}, 2, "$", "2 is too small: at least 3 is needed"),
}


@pytest.mark.parametrize(("schema", "value", "pointer", "words"), TOLD.values(), ids=TOLD)
def test_the_reason_is_told_from_the_branch_that_was_meant(schema, value, pointer, words):
    """A violation in a union is explained by the branch that was meant, in one readable problem."""
    [problem] = Validator("thing", schema).problems(value)
    assert problem.pointer == pointer
    assert words in problem.message


def test_every_missing_field_is_told():
    problems = Validator("thing", UNION["oneOf"][0]).problems({})
    assert [problem.message for problem in problems] == ['"kind" is required', '"size" is required']


# --- which nulls are needless, and what is left to judge without them


BODY: dict[str, Any] = {"id": "i1", "status": "completed", "created": "2026-11-20T10:00:00Z",
                        "updated": "2026-11-20T10:00:00Z"}  # fmt: skip


def review(**members: Any) -> Any:
    """The review of an interaction with these members."""
    return load(CURRENT).schemas.validator("interaction").review({**BODY, **members})


def test_optional_nulls_are_pointed_at_and_dropped() -> None:
    text = {"type": "text", "text": "Hello", "annotations": None}
    seen = review(usage=None, model="m", steps=[{"type": "model_output", "content": [text]}])
    assert (set(seen.nulls), seen.problems) == ({"$.usage", "$.steps[0].content[0].annotations"}, ())
    assert "usage" not in seen.value
    assert seen.value["steps"][0]["content"] == [{"type": "text", "text": "Hello"}]


def test_other_problems_stay() -> None:
    """A null hides no other fault, and is reported beside it."""
    seen = review(usage=None, model=3)
    assert seen.nulls == ("$.usage",)
    assert [problem.pointer for problem in seen.problems] == ["$.model"]


@pytest.mark.parametrize("members", [{"status": None}, {"steps": [None]}, {"steps": [{"type": None}]}])
def test_a_null_that_cannot_be_left_out_is_a_problem(members: dict[str, Any]) -> None:
    """A required member, an item of a list and a discriminator are needed."""
    seen = review(**members)
    assert seen.nulls == ()
    assert seen.problems


# --- the closed twin of a schema, and the unknowns that an open schema accepts, on small schemas of our own


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


@pytest.mark.parametrize(("schema", "twin"), CLOSED.values(), ids=CLOSED)
def test_closing_touches_exactly_what_the_marks_say(schema, twin):
    """Objects with listed properties and known values are closed; conditions and open schemas are not."""
    assert close(schema) == twin


def test_closing_without_keeping_drops_every_branch_for_the_unknown():
    assert close({"oneOf": [KNOWN, {**OTHER, "x-keep": True}]}, keep=False) == {
        "oneOf": [{**KNOWN, "additionalProperties": False}]
    }
