"""What of a timeline is the run's own: everything after the caller's words, whoever shows it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.output import given, output_steps, output_text, steps_of, text_of

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
    """The caller's are all steps up to the last user_input and the results that lead what follows."""
    assert given(steps) == leading
    assert output_steps({"steps": steps}) == [step for step in steps[leading:] if isinstance(step, dict)]


def test_texts_are_joined() -> None:
    """The text of an output is that of its text parts, in order; the input's is none of it."""
    assert output_text({"steps": [ASKED, SAID, SAID]}) == "HelloHello"
    assert text_of("bare") == "bare"


@pytest.mark.parametrize("odd", [None, 7, "x", {}, [None, 7, "x", []]])
def test_odd_steps_are_no_steps(odd: Any) -> None:
    """What is no list of objects holds no steps and no text."""
    assert steps_of({"steps": odd}) == []
    assert output_text({"steps": [{"type": "model_output", "content": odd}]}) in ("", "x")
