"""The output of a run is every step after the caller's input."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.data.output import count_given, output_steps, output_text, steps_of, text_of

TEXT = [{"type": "text", "text": "He"}, {"type": "image", "data": ""}, {"type": "text", "text": "llo"}]
ASKED = {"type": "user_input", "content": TEXT}
SAID = {"type": "model_output", "content": TEXT}
RESULT = {"type": "function_result", "call_id": "c", "result": "x"}


@pytest.mark.parametrize(
    ("steps", "leading"),
    [
        ([SAID], 0),
        ([ASKED, SAID], 1),
        ([ASKED, SAID, ASKED, SAID], 3),
        ([RESULT, SAID], 1),
        ([ASKED, RESULT, RESULT, SAID], 3),
        ([SAID, RESULT], 0),
        ([None, ASKED, 7], 2),
        ([], 0),
    ],
)
def test_given(steps: list[Any], leading: int) -> None:
    """The caller's steps are those up to the last user_input and any results right after it."""
    assert count_given(steps) == leading
    assert output_steps({"steps": steps}) == [step for step in steps[leading:] if isinstance(step, dict)]


def test_texts_are_joined() -> None:
    """The output text joins all text parts of the output in order and excludes the input."""
    assert output_text({"steps": [ASKED, SAID, SAID]}) == "HelloHello"
    assert text_of("bare") == "bare"


@pytest.mark.parametrize("odd", [None, 7, "x", {}, [None, 7, "x", []]])
def test_odd_steps_are_no_steps(odd: Any) -> None:
    """A value that is not a list of objects contains no steps and no text."""
    assert steps_of({"steps": odd}) == []
    assert output_text({"steps": [{"type": "model_output", "content": odd}]}) in ("", "x")
