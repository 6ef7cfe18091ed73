"""What an operator makes of a JSON value or of a frame."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.wire import Headers, Request
from lab.defects import edits, scenes
from lab.defects.scenes import Scene, SceneTracker

STEPS = {"id": "a", "steps": [{"type": "thought"}, {"type": "model_output", "content": [{"text": "hi"}]}]}


def test_paths_name_every_member_and_each_item_by_a_star() -> None:
    found = [edits.format_path(path) for path, _ in edits.list_paths(STEPS)]
    assert found == ["id", "steps", "steps.*.type", "steps.*.type", "steps.*.content", "steps.*.content.*.text"]


def test_an_edit_changes_every_member_that_the_path_names() -> None:
    value = {"steps": [{"type": "a"}, {"type": "b"}, {"other": 1}]}
    edits.edit_member(value, ("steps", "*", "type"), lambda member: member + "!")
    assert value == {"steps": [{"type": "a!"}, {"type": "b!"}, {"other": 1}]}


def test_an_edit_may_remove_a_member() -> None:
    value = {"a": {"b": 1, "c": 2}}
    edits.edit_member(value, ("a", "b"), lambda _: edits.GONE)
    assert value == {"a": {"c": 2}}


@pytest.mark.parametrize(("value", "emptied"), [("x", ""), ([1], []), ({"a": 1}, {}), (3, None), (True, None)])
def test_empty(value: object, emptied: object) -> None:
    """Empty."""
    assert edits.empty(value) == emptied


@pytest.mark.parametrize("value", ["x", 3, True, [1], {"a": 1}, None])
def test_a_retyped_value_has_another_type(value: object) -> None:
    assert type(edits.retype(value)) is not type(value)


@pytest.mark.parametrize(
    ("value", "half"), [("abcd", "ab"), ([1, 2, 3], [1]), ({"a": 1, "b": 2}, {"a": 1}), (9, 4), (True, True)]
)
def test_cut(value: object, half: object) -> None:
    """Cut."""
    assert edits.cut(value) == half


def test_a_frame_keeps_its_name_when_its_payload_changes() -> None:
    block = b'event: step.stop\ndata: {"index":0,"event_type":"step.stop"}\n\n'
    assert edits.type_of(edits.payload_of(block)) == "step.stop"
    assert edits.with_payload(block, {"index": 1}) == b'event: step.stop\ndata: {"index":1}\n\n'


def test_the_type_of_a_delta_is_part_of_its_name() -> None:
    assert edits.type_of({"event_type": "step.delta", "delta": {"type": "text"}}) == "step.delta:text"
    assert edits.payload_of(b"event: done\ndata: [DONE]\n\n") is None


def test_instants_are_spelled_in_another_way_and_other_texts_stay() -> None:
    value = {"created": "2026-06-09T00:00:00Z", "text": "at 2026-06-09T00:00:00Z"}
    spelled = edits.respell_times(value, "+00:00")
    assert spelled == {"created": "2026-06-09T00:00:00+00:00", "text": "at 2026-06-09T00:00:00Z"}


# --- where an exchange belongs: its mode and its moment


ROOT = "/v1beta/interactions"


def create(**body: Any) -> Request:
    """Return a create with this body."""
    return Request("POST", ROOT, Headers([("x-goog-api-key", "one")]), json.dumps(body).encode())


def look(name: str, *, key: str = "one", query: str = "", method: str = "GET") -> Request:
    """Return a request about an interaction."""
    return Request(method, f"{ROOT}/{name}{query}", Headers([("x-goog-api-key", key)]))


@pytest.fixture
def tracker() -> SceneTracker:
    """Return a tracker that has seen nothing."""
    return SceneTracker("x-goog-api-key", "two")


@pytest.mark.parametrize(
    ("body", "mode"),
    [
        ({}, scenes.PLAIN),
        ({"stream": True}, scenes.STREAMED),
        ({"background": True}, scenes.BACKGROUND),
        ({"background": True, "stream": True}, scenes.BACKGROUND_STREAMED),
        ({"previous_interaction_id": "a", "stream": True}, scenes.CHAINED),
    ],
)
def test_the_mode_of_a_create(tracker: SceneTracker, body: dict[str, Any], mode: str) -> None:
    assert tracker.find_scene(create(**body)) == Scene("POST interactions", mode, scenes.AT_ONCE)


def test_a_look_has_the_mode_of_its_create_and_the_moment_that_its_body_shows(tracker: SceneTracker) -> None:
    asked = create(background=True)
    tracker.note_body(tracker.find_scene(asked), asked, 200, {"id": "a", "status": "in_progress"})
    looked = look("a")
    scene = tracker.find_scene(looked)
    assert scene == Scene("GET interactions/{id}", scenes.BACKGROUND, scenes.RUNS)
    shown = tracker.note_body(scene, looked, 200, {"id": "a", "status": "completed"})
    assert shown.moment == scenes.ENDED
    assert tracker.find_scene(look("a", query="?stream=true")) == Scene(
        "GET interactions/{id}", scenes.RESUMED, scenes.ENDED
    )


def test_moments_of_a_deleted_one_of_a_second_key_and_of_two_at_a_time(tracker: SceneTracker) -> None:
    asked = create()
    tracker.note_body(tracker.find_scene(asked), asked, 200, {"id": "a", "status": "completed"})
    assert tracker.find_scene(look("a", key="two")).moment == scenes.SECOND_KEY
    tracker.open_bodies = 1
    assert tracker.find_scene(look("a")).moment == scenes.TOGETHER
    gone = look("a", method="DELETE")
    tracker.note_body(tracker.find_scene(gone), gone, 200, {})
    assert tracker.find_scene(look("a")).moment == scenes.DELETED


def test_another_resource_has_no_mode_of_an_interaction(tracker: SceneTracker) -> None:
    assert tracker.find_scene(Request("GET", "/v1beta/webhooks")).mode == scenes.ELSEWHERE
