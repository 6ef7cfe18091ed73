"""The Interactions API as the `StreamProtocol` that the generic packages use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.contract import PROTOCOL
from harness.wire import Decoder, Headers, Request
from tests.contract.streams import completed, created, delta, error, judge, start, stop, update

ASKED = Request(
    "POST",
    "/v1beta/interactions?key=k",
    Headers([("x-goog-api-key", "k"), ("content-type", "application/json"), ("content-length", "2")]),
    b"{}",
)


def test_cursor_is_the_top_level_event_id() -> None:
    """The cursor is a non-empty event_id at the top level, never one inside the interaction."""
    assert PROTOCOL.cursor({**delta(0), "event_id": "e"}) == "e"
    for odd in (delta(0), {"event_id": ""}, {"event_id": 7}, completed(event_id="e")):
        assert PROTOCOL.cursor(odd) is None


def test_with_cursor_replaces_and_removes() -> None:
    """The cursor is set before event_type, replaced or removed, and the original event is not modified."""
    event = stop(0)
    assert list(PROTOCOL.with_cursor(event, "e")) == ["index", "event_id", "event_type"]
    assert PROTOCOL.with_cursor({**event, "event_id": "old"}, "new")["event_id"] == "new"
    assert PROTOCOL.with_cursor({**event, "event_id": "old"}, None) == event
    assert event == stop(0)


def test_completion_and_error_are_told_by_type() -> None:
    assert [PROTOCOL.completes(e) for e in (created(), completed(status="requires_action"))] == [False, True]
    assert [PROTOCOL.is_error(e) for e in (completed(), error())] == [False, True]


@pytest.mark.parametrize(
    ("event", "identity"),
    [(created(), "v1_a"), (update(), "v1_a"), (created(""), None), (delta(0), None), ({"interaction": 7}, None)],
)
def test_stream_id(event: dict[str, Any], identity: str | None) -> None:
    """The interaction id is found in any event that has one; an unstored interaction has none."""
    assert PROTOCOL.stream_id(event) == identity


@pytest.mark.parametrize("cursor", [None, "a+/= b", ""])
@pytest.mark.parametrize("identity", ["v1_a", "a/b c?"])
def test_resume_round_trips(identity: str, cursor: str | None) -> None:
    """A resume request is recognised as one, with its id and cursor, whatever characters these contain."""
    request = PROTOCOL.resume(ASKED, identity, cursor)
    assert PROTOCOL.is_resume(request) == (identity, cursor or None)
    assert request.method == "GET"
    assert request.body == b""


def test_resume_keeps_the_credentials() -> None:
    """A resume keeps key header, `key` parameter and API version, and drops the headers of the body."""
    request = PROTOCOL.resume(ASKED, "i", None)
    assert request.parameter("key") == "k"
    assert request.headers.get("x-goog-api-key") == "k"
    assert request.raw_path == "/v1beta/interactions/i"
    assert "content-type" not in request.headers
    assert "content-length" not in request.headers


VERTEX = "/v1beta1/projects/p/locations/l/interactions"


@pytest.mark.parametrize("target", [VERTEX, f"{VERTEX}/x", f"{VERTEX}/x/cancel", f"{VERTEX}/interactions"])
def test_resume_finds_the_root_from_any_request(target: str) -> None:
    """Create, get and cancel of one conversation lead to the same resume URL, on Vertex too."""
    assert PROTOCOL.resume(Request("GET", target), "i", None).raw_path == f"{VERTEX}/i"


@pytest.mark.parametrize(
    "request_",
    [
        ASKED,
        Request("GET", "/v1beta/interactions/i"),
        Request("GET", "/v1beta/interactions/i?stream=false"),
        Request("GET", "/v1beta/agents/i?stream=true"),
        Request("GET", "/"),
    ],
)
def test_other_requests_are_no_resume(request_: Request) -> None:
    """A create, a plain get and requests for other resources are not taken for a resume."""
    assert PROTOCOL.is_resume(request_) is None


def test_error_event_is_a_frame_of_the_api() -> None:
    (frame,) = Decoder().feed(PROTOCOL.error_event("api_error", "boom", "e1"))
    event = json.loads(frame.data)
    assert (PROTOCOL.is_error(event), PROTOCOL.cursor(event)) == (True, "e1")
    assert judge(PROTOCOL.error_event("api_error", "boom", None)).findings == ()


def test_error_body_has_the_api_shape() -> None:
    assert json.loads(PROTOCOL.error_body(404, "not_found", "none")) == {
        "error": {"message": "none", "code": "not_found"}
    }


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (delta(3, text="a"), ("3/text", "a")),
        (delta(1, "arguments_delta", arguments="{"), ("1/arguments_delta", "{")),
        (delta(0, "thought_summary", content={"text": "t"}), ("0/thought_summary", "t")),
        (delta(0, "thought_signature", signature="s"), None),
        (delta(0, "thought_summary", content=7), None),
        (start(0), None),
        ({"delta": [1]}, None),
        ({"delta": {"type": ["text"]}}, None),
    ],
)
def test_text_of(event: dict[str, Any], expected: tuple[str, str] | None) -> None:
    """Text fragments of the same step and kind share a key; other events have none, and nothing raises."""
    assert PROTOCOL.text_of(event) == expected
