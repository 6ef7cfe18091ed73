"""A value that is wrong in very many places is explained as soon as one that is wrong in a few."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest

from harness.contract import CURRENT, load
from tests.growth import assert_linear

FEW, MANY = 20, 4_000

SCHEMAS = load(CURRENT).schemas

CREATES: dict[str, Callable[[int], Any]] = {
    "items that are nothing": lambda count: {"input": [1] * count},
    "contents": lambda count: {"input": [{"type": "text"}] * count},
    "contents of steps": lambda count: {
        "input": [{"type": "user_input", "content": [{"type": "text", "x": 1}] * (count // 10)}] * 10
    },
    "labels": lambda count: {"input": "a", "labels": {f"K{index}": index for index in range(count)}},
    "tools": lambda count: {"input": "a", "tools": [{"type": "function", "x": 1}] * count},
    "one of many": lambda count: {"input": [{"type": "text", "text": "a"}] * count + [1]},
}

ANSWERS: dict[str, Callable[[int], Any]] = {
    "steps that are nothing": lambda count: [1] * count,
    "contents": lambda count: [{"type": "model_output", "content": [1] * count}],
    "nulls": lambda count: [
        {"type": "model_output", "content": [{"type": "text", "text": "a", "annotations": None}] * count}
    ],
    "required nulls": lambda count: [{"type": "function_call", "id": None, "name": None}] * count,
    "nulls beside ever other names": lambda count: [
        {"type": "thought", "signature": None, f"x{index}": index} for index in range(count)
    ],
}


@pytest.mark.parametrize("build", CREATES.values(), ids=CREATES)
def test_a_request_with_many_faults_is_explained_at_once(build: Callable[[int], Any]) -> None:
    """What is not told is not collected: a few thousand faults cost little more than twenty."""
    validator = SCHEMAS.validator("requests/create-interaction", closed=True)
    few, many = ({"model": "gemini-3.5-flash", **build(count)} for count in (FEW, MANY))
    assert len(validator.problems(many)) == len(validator.problems(few)) > 0
    assert_linear(lambda: validator.problems(few), lambda: validator.problems(many))


@pytest.mark.parametrize("build", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_with_many_faults_is_reviewed_at_once(build: Callable[[int], Any]) -> None:
    validator = SCHEMAS.validator("interaction")
    few, many = ({"id": "i1", "status": "completed", "created": "2026-11-20T10:00:00Z",
                  "updated": "2026-11-20T10:00:00Z", "steps": build(count)} for count in (FEW, MANY))  # fmt: skip
    assert_linear(lambda: validator.review(few), lambda: validator.review(many))


def test_as_many_problems_are_told_as_were_asked_for() -> None:
    tool = {"type": "function", "name": "f", "x": 1}
    body = {"model": "gemini-3.5-flash", "input": "a", "tools": [tool] * 9}
    problems = SCHEMAS.validator("requests/create-interaction", closed=True).problems(body, limit=7)
    assert [problem.pointer for problem in problems] == [f"$.tools[{index}].x" for index in range(7)]


def test_what_was_explained_is_freed_at_once() -> None:
    """No cycle of errors holds a refused body until garbage is collected, which few large bodies do not cause."""
    part = {"type": "text", "x": ["text"]}
    validator = SCHEMAS.validator("requests/create-interaction", closed=True)
    gc.disable()
    try:
        before = sys.getrefcount(part)
        assert validator.problems({"model": "gemini-3.5-flash", "input": [part]})
        assert sys.getrefcount(part) == before
    finally:
        gc.enable()
