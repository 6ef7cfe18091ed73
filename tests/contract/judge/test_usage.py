"""Token counts are valid, add up in either published reading, and modality shares do not exceed totals."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract import judge_usage
from tests.contract.streams import USAGE

TOOLS = {**USAGE, "total_tool_use_tokens": 7}

CASES: dict[str, tuple[Any, list[str]]] = {
    "clean": (USAGE, []),
    "empty": ({}, []),
    "tool use counted in": ({**TOOLS, "total_tokens": 17}, []),
    "tool use left out": (TOOLS, []),
    "unlisted fields": ({**USAGE, "raw_prompt_token": "x"}, []),
    "shares fit": ({**USAGE, "input_tokens_by_modality": [{"modality": "text", "tokens": 3}]}, []),
    "only a total": ({"total_tokens": 9}, []),
    "no object": ([], ["usage.types"]),
    "none": (None, ["usage.types"]),
    "negative": ({**USAGE, "total_tokens": -1}, ["usage.types"]),
    "a string": ({**USAGE, "total_input_tokens": "3"}, ["usage.types"]),
    "a truth value": ({**USAGE, "total_input_tokens": True}, ["usage.types"]),
    "a float": ({**USAGE, "total_input_tokens": 3.5}, ["usage.types"]),
    "a share of a string": ({**USAGE, "output_tokens_by_modality": [{"tokens": "5"}]}, ["usage.types"]),
    "sum": ({**USAGE, "total_tokens": 11}, ["usage.sum"]),
    "sum with tools": ({**TOOLS, "total_tokens": 18}, ["usage.sum"]),
    "shares exceed": ({**USAGE, "input_tokens_by_modality": [{"tokens": 2}, {"tokens": 2}]}, ["usage.modality"]),
}


@pytest.mark.parametrize(("usage", "rules"), CASES.values(), ids=CASES)
def test_usage(usage: Any, rules: list[str]) -> None:
    """Each usage object breaks exactly the rules listed with it."""
    assert [finding.rule for finding in judge_usage(usage)] == rules


def test_what_is_no_usage_is_told_in_words_of_json() -> None:
    """A finding says null, as in JSON, and not Python's None."""
    (finding,) = judge_usage(None)
    assert finding.actual == "null"


def test_the_pointer_begins_where_the_caller_says() -> None:
    (finding,) = judge_usage({"total_tokens": -1}, "$.interaction.usage")
    assert finding.where.pointer == "$.interaction.usage.total_tokens"
