"""Media in a create: which content is accepted, and which parts of it can be read; what the emulator returns."""

from __future__ import annotations

import pytest

from harness.emulator.values import samples
from tests.emulator.client import Api

GOOD = [
    {"start_offset": "0s", "end_offset": "0.5s"},
    {"start_offset": "10.5s"},
    {"page_options": {"start_page": 2, "end_page": 2}},
    {"page_options": {"end_page": 1}},
    {"spreadsheet_options": {"sheet_index": 1}},
    {"spreadsheet_options": {}},
]
BAD = [
    ({"start_offset": "3s", "end_offset": "1.5s"}, "'end_offset' has to come after"),
    ({"start_offset": "2s", "end_offset": "2s"}, "'end_offset' has to come after"),
    ({"end_offset": "0s"}, "'end_offset' has to come after"),
    ({"start_offset": "3"}, "The offset '3' is not a number of seconds"),
    ({"start_offset": "-1s"}, "The offset '-1s' is not a number of seconds"),
    ({"page_options": {"start_page": 3, "end_page": 2}}, "'end_page' is before 'start_page'"),
    ({"page_options": {"start_page": 0}}, "Pages are counted from 1"),
    ({"page_options": {"end_page": 0}}, "Pages are counted from 1"),
    ({"spreadsheet_options": {"sheet_index": 0}}, "Sheets are counted from 1"),
]


def content(part):
    """A medium of which a part is read."""
    kind = "document" if "offset" not in str(part) else "video"
    mime = {"document": "application/pdf", "video": "video/mp4"}[kind]
    return {"type": kind, "data": "AAAA", "mime_type": mime, "processing": {"type": "static", **part}}


@pytest.mark.parametrize("part", GOOD, ids=str)
def test_a_part_that_can_be_is_read(part):
    """Offsets that grow, pages and sheets from 1 on, and parts without an end are taken."""
    assert Api().create([{"type": "user_input", "content": [content(part)]}]).status == 200


@pytest.mark.parametrize("platform", ["gemini", "vertex", "any"])
@pytest.mark.parametrize(("part", "words"), BAD, ids=str)
def test_a_part_that_cannot_be_is_refused(part, words, platform):
    """Such a part is refused on every surface; the message begins as the recorded one and says why."""
    answer = Api.with_settings(platform=platform).create([content(part)])
    assert answer.error == (400, "invalid_request")
    assert answer.message.startswith("Invalid input at 'input[0].processing'. ")
    assert words in answer.message


def test_the_place_is_named_as_in_the_recording():
    """In a step, the place has the step and the content."""
    step = {"type": "user_input", "content": [content({"start_offset": "3s", "end_offset": "1s"})]}
    answer = Api().create([step])
    assert answer.message.startswith("Invalid input at 'input[0].content[0].processing'.")


PICTURE = {"type": "image", "mime_type": "image/png"}

REFUSED = [
    ({**PICTURE, "data": "not base64!"}, "is not base64"),
    ({**PICTURE, "data": "data:image/png;base64,AAAA"}, "is not base64"),
    ({**PICTURE, "data": "AAAAA"}, "is not base64"),
    (PICTURE, "neither 'data' nor 'uri'"),
    ({"type": "audio"}, "neither 'data' nor 'uri'"),
    ({"type": "document", "data": "é"}, "is not base64"),
]


@pytest.mark.parametrize(("content", "words"), REFUSED, ids=[f"{c['type']} {w[:12]}" for c, w in REFUSED])
@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [{"type": "user_input", "content": [c]}]])
def test_unusable_media_are_refused(api: Api, content, words, wrap):
    """Media are refused if `data` is not base64 (the schema's byte format), or without both `data` and `uri`."""
    answer = api.create(wrap(content))
    assert answer.error == (400, "invalid_request")
    assert words in answer.message


TAKEN = [{"data": samples.PNG}, {"data": "-_-_"}, {"data": "AA"}, {"data": ""}, {"uri": "https://example.org/a"}]


@pytest.mark.parametrize("where", TAKEN, ids=[next(iter(where.values()))[:8] or "empty" for where in TAKEN])
def test_usable_media_are_taken(api: Api, where):
    """Either base64 alphabet is accepted, with or without padding, as in proto3 JSON; a URI alone is enough."""
    assert api.create({**PICTURE, **where}).status == 200
