"""Two answers are equal if they mean the same, and otherwise the place of each difference is reported."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract import compare_steps
from harness.contract.data.step_diff import LIMIT

OUT = {"type": "model_output", "content": [{"type": "text", "text": "ab"}]}
INPUT = {"type": "user_input", "content": [{"type": "text", "text": "q"}]}
THOUGHT = {"type": "thought", "signature": "c2ln"}


def text(*pieces: str) -> dict[str, Any]:
    """An answer whose text has several parts."""
    return {"type": "model_output", "content": [{"type": "text", "text": piece} for piece in pieces]}


SAME: dict[str, tuple[list[Any], list[Any]]] = {
    "nothing": ([], []),
    "identical": ([THOUGHT, OUT], [THOUGHT, OUT]),
    "leading input": ([OUT], [INPUT, OUT]),
    "a timeline of two turns": ([OUT], [INPUT, THOUGHT, text("old"), INPUT, OUT]),
    "a result as input": ([OUT], [INPUT, {"type": "function_result", "call_id": "c", "result": "x"}, OUT]),
    "text in other parts": ([text("a", "b")], [OUT]),
    "empty text": ([text("a", "", "b")], [OUT]),
    "no annotations": ([{**OUT, "content": [{"type": "text", "text": "ab", "annotations": []}]}], [OUT]),
    "empty fields": ([{**OUT, "signature": "", "error": None}], [OUT]),
    "what no event carries": (
        [{"type": "google_search_call", "id": "c"}],
        [{"type": "google_search_call", "id": "c", "search_type": "web_search"}],
    ),
    "a summary without types": (
        [{"type": "thought", "summary": [{"text": "x"}]}],
        [{"type": "thought", "summary": [{"type": "text", "text": "x"}]}],
    ),
}

DIFFERENT: dict[str, tuple[list[Any], list[Any], str]] = {
    "a step is missing": ([THOUGHT, OUT], [THOUGHT], "$.steps[1]"),
    "another text": ([text("ab")], [text("ac")], "$.steps[0].content[0].text from character 1"),
    "half a text": ([text("a")], [text("ab")], "$.steps[0].content[0].text from character 1"),
    "another type": ([THOUGHT], [{**THOUGHT, "type": "processing_call"}], "$.steps[0].type from character 0"),
    "an altered signature": (
        [THOUGHT],
        [{**THOUGHT, "signature": "c2lo"}],
        "$.steps[0].signature from character 3",
    ),
    "no signature": ([THOUGHT], [{"type": "thought"}], "$.steps[0].signature"),
    "not even objects": ([None], [7], "$.steps[0]"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_answer(one: list[Any], other: list[Any]) -> None:
    """Neither how an answer was split into parts nor the input before it makes a difference."""
    assert compare_steps(one, other) == []


@pytest.mark.parametrize(("one", "other", "pointer"), DIFFERENT.values(), ids=DIFFERENT)
def test_another_answer(one: list[Any], other: list[Any], pointer: str) -> None:
    """The first difference is reported with its pointer."""
    difference, *_ = compare_steps(one, other)
    assert difference.pointer == pointer
    assert str(difference).startswith(pointer)


def test_differences_are_bounded() -> None:
    """The number of reported differences is limited."""
    assert len(compare_steps([text(str(n)) for n in range(100)], [THOUGHT] * 100)) == LIMIT


def test_deep_values_do_not_raise() -> None:
    """Values nested deeper than Python's recursion limit are reported as different instead of raising."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert len(compare_steps([{"type": "x", "a": deep}], [{"type": "x", "a": [deep]}])) == 1
