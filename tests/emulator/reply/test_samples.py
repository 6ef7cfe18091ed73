"""Schemas that ask for too much: every create gets an answer of bounded size, whatever schema it declares."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulator.values.samples import MOST_CHARACTERS, sample
from tests.emulator.client import Api


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


def extent(value):
    """The number of values and of characters in a JSON value."""
    waiting, values, characters = [value], 0, 0
    while waiting:
        part = waiting.pop()
        values += 1
        characters += len(part) if isinstance(part, str) else 0
        if isinstance(part, dict):
            characters += sum(map(len, part))
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return values, characters


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
    "a constant nested deeply": inside({"const": json.loads("[" * 300 + "]" * 300)}),
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


def test_optional_properties_are_left_out_if_they_are_too_much():
    """A schema whose optional properties cost too much gets a sample of the required ones."""
    assert sample(references(60, required=[])) == {}
    assert len(sample(references(60, required=["p0"]))) == 1
    long = {"type": "string", "minLength": MOST_CHARACTERS * 2 // 3}
    assert list(sample({"properties": {"a": long, "b": long}, "required": ["b"]})) == ["b"]


def test_a_sample_within_the_budget_is_as_large_as_asked():
    """Long lists and texts have the length that their schema asks for."""
    assert len(sample({"type": "array", "minItems": 1000})) == 1000
    assert len(sample({"type": "string", "minLength": 100_000})) == 100_000
    assert len(sample({"type": "array", "minItems": 10**9, "maxItems": 3})) == 3
    assert len(sample({"type": "string", "minLength": 10**9, "maxLength": 3})) == 3


NUMBERS = [
    {"minimum": 1e308, "multipleOf": 1e-300},
    {"minimum": 1e308, "multipleOf": 1e308},
    {"minimum": 5e-324, "multipleOf": 5e-324},
    {"exclusiveMinimum": 1.7e308},
    {"exclusiveMaximum": -1.7e308},
    {"minimum": 2**63, "multipleOf": 3},
    {"minimum": 10**300, "multipleOf": 7},
    {"minimum": 5, "maximum": 1},
    {"multipleOf": 0},
    {"multipleOf": -1e308},
    {"multipleOf": 1e308},
    {"minimum": 10**4000},
    {"minimum": -(10**4000), "multipleOf": 10**4000},
]


@pytest.mark.parametrize("kind", ["integer", "number"])
@pytest.mark.parametrize("schema", NUMBERS, ids=lambda schema: str(schema)[:60])
def test_extreme_numbers_have_a_sample(api, schema, kind):
    """A number that is hard to find is a sample, at least the minimum, or a 400."""
    answer = api.create(**declared(inside({"type": kind, **schema})))
    assert answer.status in (200, 400)
    if answer.status == 200 and "maximum" not in schema:
        value = answer.json["steps"][-1]["arguments"]["x"]
        assert isinstance(value, int | float)
        assert value >= schema.get("minimum", value)


def test_a_number_is_a_multiple_as_it_was_written():
    """Multiples are those of the decimal number in the schema, not of its binary neighbour."""
    assert sample({"type": "number", "minimum": 1.1, "multipleOf": 0.1}) == 1.1
    assert sample({"type": "integer", "minimum": 2, "multipleOf": 1.5}) == 3


SIZES = st.one_of(
    st.integers(-2, 4),
    st.sampled_from([10**3, 10**8, 2**63, 10**40, 1e8, 1e308, 0.5, True]),
)
BOUNDS = st.one_of(
    st.integers(-4, 4), st.sampled_from([1e308, -1e308, 1e-300, 5e-324, 0.1, 2**63, -(10**30), 10**300])
)
NAMES = st.sampled_from(["a", "b", "ü", "\u0000" * 9, "n" * 500])
REFERENCES = st.sampled_from(
    ["#", "#/$defs/d", "#/properties/a", "#/items", "#/nowhere", "other", "", "#" + "/a" * 999]
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null", "STRING", "odd"])
PLAIN = st.recursive(
    st.none() | st.booleans() | BOUNDS | st.text(max_size=9) | st.just("x" * 10_000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def repeat(one):
    """The same schema many times, unless it is long already: copies of copies would be gigabytes."""
    return one * 300 if len(json.dumps(one)) < 1_000 else one


def keywords(inner):
    """Schemas that use any keywords together, sensibly or not."""
    several = st.lists(inner, max_size=4) | st.lists(inner, min_size=1, max_size=1).map(repeat)
    named = st.dictionaries(NAMES, inner, max_size=4)
    listed = st.lists(NAMES | PLAIN, max_size=4) | st.just([f"r{n}" for n in range(2000)])
    sizes = dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), SIZES | PLAIN
    )
    bounds = dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), BOUNDS | PLAIN
    )
    parts = dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), several | PLAIN)
    maps = dict.fromkeys(("properties", "$defs", "patternProperties"), named | PLAIN)
    others = {
        "type": TYPES | st.lists(TYPES | PLAIN, max_size=3) | PLAIN,
        "items": inner,
        "required": listed,
        "enum": st.lists(PLAIN, max_size=3) | st.just(list(range(5000))),
        "const": PLAIN,
        "format": st.sampled_from(["date", "uuid", "odd"]) | PLAIN,
        "pattern": st.sampled_from(["(a+)+$", "[", "^a{1000000}$"]),
        "uniqueItems": st.booleans(),
        "$ref": REFERENCES | PLAIN,
    }
    every = {**sizes, **bounds, **parts, **maps, **others}
    chosen = st.sets(st.sampled_from(sorted(every)), max_size=6)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: every[name] for name in sorted(names)}))


SCHEMAS = st.recursive(
    st.just({}) | st.fixed_dictionaries({"type": TYPES}) | st.fixed_dictionaries({"$ref": REFERENCES}),
    keywords,
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(schema=SCHEMAS.filter(bool), asked=st.sampled_from([formatted, declared]), stream=st.booleans())
def test_any_schema_gets_an_answer_of_bounded_size(schema, asked, stream):
    """No schema makes the service fail, or answer with more values or characters than the budget holds."""
    answer = Api().create(stream=stream, **asked(schema))
    assert answer.status in (200, 400), answer.data[:500]
    assert len(answer.data) < 8 * MOST_CHARACTERS
    if answer.status == 200 and not stream and asked is formatted:
        text = answer.json["steps"][-1]["content"][0]["text"]
        values, characters = extent(json.loads(text))
        assert 50 * values + characters <= MOST_CHARACTERS
