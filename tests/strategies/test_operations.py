"""Histories are data: they begin with a create, can be stored as JSON, and reject unknown operations."""

from __future__ import annotations

import json

import pytest

from harness.strategies import ClientCommand, histories
from harness.strategies.operations import KINDS
from tests.strategies.drawing import draws, least


def test_histories_begin_with_a_create_and_keep_their_length() -> None:
    for history in draws(histories(steps=8), 80):
        assert history[0].kind == "create"
        assert 1 <= len(history) <= 8


@pytest.mark.slow
def test_every_kind_and_mode_is_drawn() -> None:
    seen = {(o.kind, o.mode) for history in draws(histories(steps=40), 400) for o in history}
    assert seen == {(kind, mode) for kind, modes in KINDS.items() for mode in modes}


@pytest.mark.slow
def test_legal_histories_hold_nothing_that_must_be_refused() -> None:
    """`legal_only` excludes invalid creates, unknown ids and foreign keys."""
    modes = {o.mode for history in draws(histories(legal_only=True), 100) for o in history}
    assert not modes & {"unknown", "foreign", "no-author", "wrong-id", "orphan", "bad-cursor"}


def test_an_operation_survives_json() -> None:
    for history in draws(histories(), 50):
        records = json.loads(json.dumps([operation.record() for operation in history]))
        assert [ClientCommand(**record) for record in records] == history


@pytest.mark.parametrize(("kind", "mode"), [("dance", ""), ("poll", "sideways")])
def test_what_is_no_operation_is_refused_in_words(kind: str, mode: str) -> None:
    """An unknown operation is rejected with a message that says what came and what is allowed."""
    with pytest.raises(ValueError, match=r"is no operation: there are create|is none of poll: ") as caught:
        ClientCommand(kind, mode=mode)
    assert kind in str(caught.value) or mode in str(caught.value)


def test_a_history_needs_a_step() -> None:
    with pytest.raises(ValueError, match="steps=0"):
        histories(steps=0)


@pytest.mark.slow
def test_a_history_shrinks_to_what_is_wanted() -> None:
    wanted = least(histories(steps=30), lambda history: any(o.kind == "delete" for o in history))
    assert [operation.kind for operation in wanted] == ["create", "delete"]
