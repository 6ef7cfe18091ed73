"""Media: which content is accepted as input, and what the emulator returns."""

from __future__ import annotations

import base64

import pytest

from harness.emulator.create.contents import is_base64
from harness.emulator.reply import media
from tests.emulator.client import Api

PICTURE = {"type": "image", "mime_type": "image/png"}

REFUSED = [
    ({**PICTURE, "data": "not base64!"}, "no base64"),
    ({**PICTURE, "data": "data:image/png;base64,AAAA"}, "no base64"),
    ({**PICTURE, "data": "AAAAA"}, "no base64"),
    (PICTURE, "neither 'data' nor 'uri'"),
    ({"type": "audio"}, "neither 'data' nor 'uri'"),
    ({"type": "document", "data": "é"}, "no base64"),
]


@pytest.mark.parametrize(("content", "words"), REFUSED, ids=[f"{c['type']} {w[:12]}" for c, w in REFUSED])
@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [{"type": "user_input", "content": [c]}]])
def test_unusable_media_are_refused(api: Api, content, words, wrap):
    """Media are refused if `data` is not base64 (the schema's byte format), or without both `data` and `uri`."""
    answer = api.create(wrap(content))
    assert answer.error == (400, "invalid_request")
    assert words in answer.message


TAKEN = [
    {"data": media.picture()},
    {"data": "-_-_"},
    {"data": "AA"},
    {"data": ""},
    {"uri": "https://example.org/a"},
]


@pytest.mark.parametrize("where", TAKEN, ids=[next(iter(where.values()))[:8] or "empty" for where in TAKEN])
def test_usable_media_are_taken(api: Api, where):
    """Either base64 alphabet is accepted, with or without padding, as in proto3 JSON; a URI alone is enough."""
    assert api.create({**PICTURE, **where}).status == 200


@pytest.mark.parametrize("make", [media.picture, media.sound, media.clip])
def test_made_media_are_base64(make):
    """The media that the emulator returns would be accepted as input."""
    assert is_base64(make())
    assert base64.b64decode(make(), validate=True)
