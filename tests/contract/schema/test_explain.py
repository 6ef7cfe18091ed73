"""How the reasons for a schema violation are chosen and worded, on small schemas made for these tests."""

from __future__ import annotations

import pytest

from harness.contract.schema.explain import SchemaProblem, explain
from harness.contract.schema.validator import Validator


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
    "two types": ({"oneOf": [{"type": "string"}, UNION]}, 5, "$", "should be string or object, not number"),
    "a boolean": ({"type": "integer"}, True, "$", "should be integer, not boolean"),
    "a near miss": ({"enum": ["apple", "pear"]}, "aple", "$", 'did you mean "apple"?'),
    "too many forms": ({"oneOf": [{"type": "string"}, {}]}, "a", "$", "more than one of the forms"),
    "a dependency": ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "$", '"a" goes only with "b"'),
    "a rule": (
        {"description": "a needs b", "x-rule": True, "anyOf": [{"required": ["a"]}]},
        {},
        "$",
        "a needs b",
    ),
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
    [problem] = explain(schema, value, limit=5)
    assert problem.pointer == pointer
    assert words in problem.message


@pytest.mark.parametrize(("schema", "value", "pointer", "words"), TOLD.values(), ids=TOLD)
def test_the_reason_is_found_deep_in_a_value(schema, value, pointer, words):
    """The fast validator names the place, behind references and lists, and the reason there is the same."""
    whole = {
        "$defs": {"thing": schema},
        "type": "object",
        "properties": {"things": {"allOf": [{"type": "array", "items": {"$ref": "#/$defs/thing"}}]}},
    }
    [problem] = Validator("things", whole).problems({"things": [value]})
    assert problem.pointer == pointer.replace("$", "$.things[0]", 1)
    assert words in problem.message


def test_a_name_that_is_not_allowed_is_told_beside_other_problems():
    """A keyword about the names of members is found though its misfit is no part of the value."""
    schema = {"propertyNames": {"maxLength": 1}, "properties": {"a": {"type": "string"}}}
    problems = Validator("names", schema).problems({"a": 1, "bb": 2})
    assert {problem.keyword for problem in problems} == {"maxLength", "type"}


def test_every_missing_field_is_told():
    """Each missing field is reported as a problem of its own."""
    problems = explain(UNION["oneOf"][0], {}, limit=5)
    assert [problem.message for problem in problems] == ['"kind" is required', '"size" is required']


def test_a_long_value_is_shortened():
    """A long value is shortened in the problem."""
    [problem] = explain({"type": "integer"}, "x" * 1000, limit=5)
    assert len(problem.actual) <= 80


def test_a_problem_reads_as_one_line():
    """The text of a problem is its pointer and its message."""
    assert str(SchemaProblem("$.a", "is odd", "", "", "")) == "$.a: is odd"
