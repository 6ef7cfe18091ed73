"""How the reasons for a schema violation are chosen and worded, on small schemas made for these tests."""

from __future__ import annotations

import pytest

from harness.contract.schema.explain import Explainer, SchemaProblem
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
    [problem] = Explainer(schema).explain(value, limit=5)
    assert problem.pointer == pointer
    assert words in problem.message


@pytest.mark.parametrize(("schema", "value", "pointer", "words"), TOLD.values(), ids=TOLD)
def test_the_reason_is_found_deep_in_a_value(schema, value, pointer, words):
    """Behind references and lists, where the fast validator passes over what fits, the reason is the same."""
    whole = {
        "$defs": {"thing": schema},
        "type": "object",
        "properties": {"things": {"allOf": [{"type": "array", "items": {"$ref": "#/$defs/thing"}}]}},
    }
    [problem] = Validator("things", whole).problems({"things": [value]})
    assert problem.pointer == pointer.replace("$", "$.things[0]", 1)
    assert words in problem.message


def test_no_more_is_looked_at_than_is_told():
    """An answer with thousands of faults takes no longer to explain than one with five, in the order they come."""
    looked_at = []

    def fits(reference, value):
        looked_at.append(value)
        return isinstance(value["size"], int)

    schema = {"$defs": {"thing": UNION}, "items": {"$ref": "#/$defs/thing"}}
    value = [{"kind": "a", "size": 0 if index % 2 else "x"} for index in range(9_000)]
    problems = Explainer(schema, fits).explain(value, limit=5)
    assert [problem.pointer for problem in problems] == [f"$[{index}].size" for index in range(0, 10, 2)]
    assert len(looked_at) < 20


def test_every_missing_field_is_told():
    problems = Explainer(UNION["oneOf"][0]).explain({}, limit=5)
    assert [problem.message for problem in problems] == ['"kind" is required', '"size" is required']


def test_a_long_value_is_shortened():
    [problem] = Explainer({"type": "integer"}).explain("x" * 1000, limit=5)
    assert len(problem.actual) <= 80


def test_a_problem_reads_as_one_line():
    assert str(SchemaProblem("$.a", "is odd", "", "", "")) == "$.a: is odd"
