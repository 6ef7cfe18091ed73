"""Decisions: one answer for each question, consistent in itself and the same every time."""

from typing import Any

import pytest

from tests.emulator.resources.api import Api

V = "/v1beta/decisions"
NOUL = {"type": "noul", "instructions": "Is it so?"}
CHOICE = {"type": "choice", "instructions": "Which?", "criteria": {"a": "first", "b": "second", "c": "third"}}
SCORE = {"type": "score", "instructions": [{"type": "text", "text": "How?"}], "criteria": ["bad", "fair", "good"]}
BODY = {"model": "gemini-decision-1", "input": "hello", "questions": {"n": NOUL, "c": CHOICE, "s": SCORE}}


def test_the_same_question_has_the_same_answer(api: Api) -> None:
    """Answers depend on input and question alone."""
    other = {**BODY, "model": "models/gemini-decision-1", "questions": {"x": NOUL}}
    assert api.ok("POST", V, other)["answers"]["x"] == api.ok("POST", V, BODY)["answers"]["n"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"model": "gemini-3.8-flash"}, 404),
        ({"questions": {}}, 400),
        ({"questions": {"q": {"type": "choice", "instructions": "x", "criteria": {"a": "only"}}}}, 400),
        ({"questions": {"q": {"type": "score", "instructions": "x", "criteria": ["", "b"]}}}, 400),
        ({"questions": {"q": {"type": "guess", "instructions": "x"}}}, 400),
        ({"questions": {"q": {"type": "noul"}}}, 400),
        ({"input": ""}, 400),
        ({"input": [{"type": "image", "mime_type": "image/png"}]}, 400),
        ({"input": [{"type": "image", "data": "%", "mime_type": "image/png"}]}, 400),
        ({"stream": True}, 400),
    ],
)
def test_bad_requests_are_refused(api: Api, change: dict[str, Any], status: int) -> None:
    """An unknown model is 404; a body that does not fit is 400."""
    assert api.send("POST", V, {**BODY, **change}).status == status
