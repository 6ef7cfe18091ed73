"""Samples fit their schema; one that asks for too much is refused, so that every answer has a bounded size."""

from __future__ import annotations

import pytest

from harness.emulator.values.samples import MOST_CHARACTERS, sample

SCHEMAS = [
    {"type": "string"},
    {"type": "STRING", "enum": ["b", "a"]},
    {"const": 5},
    {"type": "integer", "minimum": 3, "maximum": 9, "multipleOf": 4},
    {"type": "number", "exclusiveMinimum": 1.5, "exclusiveMaximum": 3},
    {"type": "integer", "maximum": -4},
    {"type": ["null", "boolean"]},
    {"type": "null"},
    {"type": "string", "minLength": 20, "maxLength": 25},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "date-time"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"type": "string"}, "maxItems": 0},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": {"type": "boolean"}},
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "object", "properties": {"c": {}}}},
     "required": ["a"], "additionalProperties": False},
    {"required": ["x"], "properties": {"x": {"type": "number"}}},
    {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    {"allOf": [{"properties": {"a": {"type": "integer"}}}, {"required": ["a"]}]},
    {"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
        "next": {"$ref": "#/$defs/node"}, "name": {"type": "string"}}, "required": ["name"]}}},
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_samples_fit_their_schema(schema):
    """An independent validator accepts each sample (types in capitals are read as lower case)."""
    import jsonschema

    lowered = {**schema, "type": schema["type"].lower()} if isinstance(schema.get("type"), str) else schema
    jsonschema.Draft202012Validator(lowered).validate(sample(schema))


def formatted(*schemas):
    """The fields of a create that asks for JSON of these schemas."""
    return {"response_format": [{"type": "text", "mime_type": "application/json", "schema": s} for s in schemas]}


def declared(*schemas):
    """The fields of a create that declares functions with these parameters, and names all of them."""
    names = [f"f{index}" for index in range(len(schemas))]
    tools = [{"type": "function", "name": n, "parameters": s} for n, s in zip(names, schemas, strict=True)]
    return {"text": " ".join(names), "tools": tools}


def references(count, **more):
    """An object of which this many properties are such objects themselves."""
    return {"type": "object", "properties": {f"p{n}": {"$ref": "#"} for n in range(count)}, **more}


def inside(schema):
    """An object with one required property of this schema."""
    return {"type": "object", "properties": {"x": schema}, "required": ["x"]}


TOO_MUCH = {
    "a long string": inside({"type": "string", "minLength": 10**8}),
    "a long string, as a float": inside({"type": "string", "minLength": 1e8}),
    "three required references to itself": references(3, required=["p0", "p1", "p2"]),
    "many items": inside({"type": "array", "minItems": 10**9, "items": {"type": "integer"}}),
    "items of items": inside({"type": "array", "minItems": 1000, "items": {"$ref": "#/properties/x"}}),
    "long items": inside({"type": "array", "minItems": 50, "items": {"type": "string", "minLength": 10**5}}),
    "a constant again and again": {
        **inside({"type": "array", "minItems": 1000, "items": {"$ref": "#/$defs/c"}}),
        "$defs": {"c": {"const": ["x" * 1000] * 10}},
    },
    "parts that are the whole": {
        "type": "object", "allOf": [{"$ref": "#"}] * 500, "required": [f"r{n}" for n in range(500)],
    },
    "a long way": inside({"type": "array", "minItems": 100, "items": {"$ref": "#" + "/a" * 10**5}}),
    "a long reference": inside({"type": "array", "minItems": 100, "items": {"$ref": "#/" + "a" * 10**6}}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("asked", [formatted, declared])
@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_schema_that_asks_for_too_much_is_refused(api, name, asked):
    """The create is a 400 in the API's shape that says what is too large and what to do, and stores nothing."""
    answer = api.create(**asked(TOO_MUCH[name]))
    assert answer.error == (400, "invalid_request")
    assert str(MOST_CHARACTERS) in answer.message
    assert "minItems" in answer.message
    listed = api.call("GET", "/v1beta1/projects/p/locations/l/interactions").json
    assert not listed.get("interaction_metadatas")


@pytest.mark.parametrize("asked", [formatted, declared])
def test_the_samples_of_a_create_share_a_budget(api, asked):
    """Two samples that fit alone do not fit together."""
    half = inside({"type": "string", "minLength": MOST_CHARACTERS * 2 // 3})
    assert api.create(**asked(half)).status == 200
    assert api.create(**asked(half, half)).error == (400, "invalid_request")


@pytest.mark.slow
def test_optional_properties_are_left_out_if_they_are_too_much():
    """Of optional properties that cost too much, a sample has some or none."""
    assert set(sample(references(60, required=["p0"]))) < {f"p{number}" for number in range(60)}
    long = {"type": "string", "minLength": MOST_CHARACTERS * 2 // 3}
    assert list(sample({"properties": {"a": long, "b": long}, "required": ["b"]})) == ["b"]


def test_a_sample_within_the_budget_is_as_large_as_asked():
    """Long lists and texts have the length that their schema asks for."""
    assert len(sample({"type": "array", "minItems": 1000})) == 1000
    assert len(sample({"type": "string", "minLength": 100_000})) == 100_000
    assert len(sample({"type": "array", "minItems": 10**9, "maxItems": 3})) == 3
    assert len(sample({"type": "string", "minLength": 10**9, "maxLength": 3})) == 3


def test_a_number_is_a_multiple_as_it_was_written():
    """Multiples are those of the decimal number in the schema, not of its binary neighbour."""
    assert sample({"type": "number", "minimum": 1.1, "multipleOf": 0.1}) == 1.1
    assert sample({"type": "integer", "minimum": 2, "multipleOf": 1.5}) == 3
