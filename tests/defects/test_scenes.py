"""Where an exchange belongs: its mode and its moment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.defects import scenes
from harness.defects.scenes import Scene, SceneTracker
from harness.wire import Headers, Request

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
