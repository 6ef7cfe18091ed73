"""What an operator makes of a JSON value or of a frame."""

from __future__ import annotations

import pytest

from harness.defects import edits

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
