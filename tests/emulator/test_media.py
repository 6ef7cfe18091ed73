"""What contents with bytes must be, and what is answered with."""

from __future__ import annotations

import base64

import pytest

from harness.emulator import media

from .client import Api

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
    """`data` is base64 (the schema's byte format), and one of data and uri is there."""
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
    """Both alphabets and missing padding are base64, as proto3 JSON has it; a URI is enough."""
    assert api.create({**PICTURE, **where}).status == 200


@pytest.mark.parametrize("make", [media.picture, media.sound, media.clip])
def test_made_media_are_base64(make):
    """What is answered with would be taken as input."""
    assert media.is_base64(make())
    assert base64.b64decode(make(), validate=True)
