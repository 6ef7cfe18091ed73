"""The small pure parts of the emulator: samples, text splitting, signatures, ids, media, names, routes."""

from __future__ import annotations

import base64
import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from harness.contract import load
from harness.emulator.reply.forms import pieces
from harness.emulator.values import samples
from harness.emulator.values.call import route
from harness.emulator.values.hints import FIELDS, unknown_field
from harness.emulator.values.samples import sample
from harness.emulator.values.stamps import IdSequence, altered, interaction_id, sign

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


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.integers(1, 12))
def test_pieces_join_to_the_text(text, number):
    """The pieces are never empty, never more than requested, and join to the original text."""
    cuts = pieces(text, number)
    assert "".join(cuts) == text
    assert len(cuts) <= number
    assert all(cuts)


WHOLE = ["e\u0301", "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "☎\ufe0f", "\r\n"]


@pytest.mark.parametrize("character", WHOLE)
def test_pieces_keep_characters_whole(character):
    """What a reader sees as one character is never split."""
    for number in range(1, 12):
        cuts = pieces(f"ab{character}cd{character}", number)
        assert sum(cut.count(character) for cut in cuts) == 2


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 30), st.sampled_from("ABCabc019+/"))
def test_altered_signatures_are_recognised(number, place, character):
    """A signature is base64 and counts as unaltered; a changed character is detected."""
    signature = sign(number)
    base64.b64decode(signature, validate=True)
    assert not altered(signature)
    place %= len(signature)
    other = signature[:place] + character + signature[place + 1 :]
    if other != signature:
        assert altered(other)


def test_ids_do_not_repeat_and_follow_the_seed():
    """A hundred thousand numbers are all different; the same seed repeats them, another seed gives others."""
    first, again, other = IdSequence(1), IdSequence(1), IdSequence(2)
    numbers = [first.number() for _ in range(100_000)]
    assert len(set(numbers)) == len(numbers)
    assert [again.number() for _ in range(100)] == numbers[:100]
    assert not {other.number() for _ in range(1000)} & set(numbers)


UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
IDS = {
    "interaction": (False, lambda ids: interaction_id(ids.number()), r"v1_Ch[\w-]{65}"),
    "call": (False, IdSequence.call, r"[a-z0-9]{8}"),
    "call of a remote tool": (False, IdSequence.mcp_call, r"call_\d{7}"),
    "environment": (False, lambda ids: ids.make_id("environment"), UUID),
    "interaction on Vertex": (True, lambda ids: interaction_id(ids.number(), vertex=True), r"Ch[\w-]{40}"),
    "call on Vertex": (True, IdSequence.call, UUID),
    "environment on Vertex": (True, lambda ids: ids.make_id("environment"), r"env_CAEQgICAgI[\w-]{50,55}"),
}


@pytest.mark.parametrize(("vertex", "make", "form"), IDS.values(), ids=IDS)
def test_ids_have_the_form_of_real_ones(vertex, make, form):
    """Ids look as in recordings of their surface, and a thousand of them are all different."""
    ids = IdSequence(7)
    ids.vertex = vertex
    made = [make(ids) for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(re.fullmatch(form, each) for each in made), made[0]


def test_media_are_valid_files():
    """The PNG's image data has a valid checksum, the WAV states its true length, the MP4 begins with `ftyp`."""
    png = base64.b64decode(samples.picture())
    size = int.from_bytes(png[33:37], "big")
    assert zlib.crc32(png[37 : 41 + size]) == int.from_bytes(png[41 + size : 45 + size], "big")
    wav = base64.b64decode(samples.sound())
    assert int.from_bytes(wav[4:8], "little") == len(wav) - 8
    mp4 = base64.b64decode(samples.clip())
    assert mp4[4:8] == b"ftyp"


def test_hints_name_real_fields():
    """Hints exist only for names that are not fields, and none is empty."""
    known = load().schemas.document("requests/create-interaction")["$defs"]["fields"]["properties"]
    assert not set(FIELDS) & known.keys()
    assert all(FIELDS.values())
    assert "Unknown parameter 'zzz'." in unknown_field("zzz", known)


ROUTES = [
    ("/v1beta/interactions", (None, False, "v1beta", ("interactions",))),
    ("/v1/interactions/a%2Fb?x=1", (None, False, "v1", ("interactions", "a/b"))),
    ("/v1beta1/projects/p/locations/l/interactions/x", (None, False, "v1beta1", ("interactions", "x"))),
    (
        "/upload/v1beta/environments/e/files/a",
        (None, False, "v1beta", ("upload", "environments", "e", "files", "a")),
    ),
    ("/v1beta/files/environment-x:download", (None, False, "v1beta", ("files", "environment-x:download"))),
    ("/__harness__/", (None, True, "", ())),
    ("/__harness__/scripts", (None, True, "", ("scripts",))),
    ("/__harness__/sessions/s1", (None, True, "", ("sessions", "s1"))),
    ("/__harness__/sessions/s1/v1/interactions", ("s1", False, "v1", ("interactions",))),
    ("/__harness__/sessions/s1/__harness__/scripts", ("s1", True, "", ("scripts",))),
    ("/v2/interactions", (None, False, "", ("v2", "interactions"))),
    ("/", (None, False, "", ("",))),
    ("", (None, False, "", ())),
    ("*", (None, False, "", ())),
]


@pytest.mark.parametrize(("target", "expected"), ROUTES)
def test_routes(target, expected):
    """Every form of path is parsed into one route."""
    assert astuple(route(target))[:4] == expected
