"""Interaction bodies are judged by the same rules, wherever they come from."""

from __future__ import annotations

import time
from typing import Any

from harness.contract import judge_interaction, judge_usage, load
from harness.contract.judge.body import judge_error, judge_status_word
from harness.contract.tables.protocol import STATUS_OF, code_of
from harness.outcome import Severity
from tests.contract.streams import USAGE
from tests.in_one_test import in_one_test

DONE = {"id": "v1_a", "status": "completed"}
TEXT = {"type": "text", "text": "aé🎉"}  # seven bytes


def output(*content: Any) -> dict[str, Any]:
    """A model_output step."""
    return {"type": "model_output", "content": list(content)}


def cited(**span: Any) -> dict[str, Any]:
    """An interaction whose answer has one citation."""
    return {**DONE, "steps": [output({**TEXT, "annotations": [{"type": "url_citation", **span}]})]}


SEARCH = {"type": "google_search_call", "id": "s1", "arguments": {}}
FOUND = {"type": "google_search_result", "call_id": "s1", "result": []}

CASES: dict[str, tuple[Any, set[str]]] = {
    "minimal": ({"status": "completed"}, set()),
    "unknown status": ({"status": "pondering"}, {"create.status-listed"}),
    "a status in capitals": ({"status": "COMPLETED"}, {"create.status"}),
    "a status with the name of its enum": ({"status": "INTERACTION_STATUS_IN_PROGRESS"}, {"create.status"}),
    "a status in camel case": ({"status": "requiresAction"}, {"create.status"}),
    "a status in American spelling": ({"status": "canceled"}, {"create.status"}),
    "the status that enums begin with": ({"status": "STATUS_UNSPECIFIED"}, {"create.status-listed"}),
    "old status": ({"status": "done"}, {"create.status-listed"}),
    "no output of the old generation": ({"status": "in_progress", "outputs": None}, set()),
    "old generation": ({"status": "completed", "outputs": []}, {"create.generation"}),
    "unknown fields": ({**DONE, "new": 1}, set()),
    "unknown steps": ({**DONE, "steps": [{"type": "telepathy", "x": 1}]}, set()),
    "no status": ({"id": "x"}, {"create.status"}),
    "status of a number": ({"status": 3}, {"create.status"}),
    "not an object": ([], {"create.schema"}),
    "null": (None, {"create.schema"}),
    "a known step of another shape": (
        {**DONE, "steps": [{"type": "function_call", "id": 7, "name": "f", "arguments": {}}]},
        {"create.schema"},
    ),
    "times": ({**DONE, "created": "2026-05-12T18:44:51Z", "updated": "2026-05-12T18:44:51.5+00:00"}, set()),
    "time without a zone": ({**DONE, "created": "2026-05-12T18:44:51"}, {"create.times"}),
    "time in words": ({**DONE, "created": "yesterday"}, {"create.schema", "create.times"}),
    "a date alone": ({**DONE, "created": "2026-05-12"}, {"create.schema", "create.times"}),
    "updated first": (
        {**DONE, "created": "2026-05-12T18:44:51Z", "updated": "2026-05-12T18:44:50Z"},
        {"create.times"},
    ),
    "usage": ({**DONE, "usage": {"total_tokens": -1}}, {"usage.types"}),
    "a count in text": ({**DONE, "usage": {"total_tokens": "12"}}, {"usage.types"}),
    "no usage": ({**DONE, "usage": []}, {"usage.types"}),
    "step with an empty type": ({**DONE, "steps": [{"type": ""}]}, {"steps.discriminator"}),
    "step without a type": ({**DONE, "steps": [{}]}, {"create.schema", "steps.discriminator"}),
    "content without a type": (
        {**DONE, "steps": [output({"text": "x"})]},
        {"create.schema", "steps.discriminator"},
    ),
    "a call and its result": ({**DONE, "steps": [SEARCH, FOUND]}, set()),
    "a result without a call": ({**DONE, "steps": [FOUND]}, {"steps.result-match"}),
    "a result before its call": ({**DONE, "steps": [FOUND, SEARCH]}, {"steps.result-match"}),
    "a function's result answers an earlier interaction": (
        {**DONE, "steps": [{"type": "function_result", "call_id": "old", "result": "x"}]},
        set(),
    ),
    "a redacted call id": ({**DONE, "steps": [SEARCH, {**FOUND, "call_id": "call_REDACTED_1"}]}, set()),
    "base64, url-safe, unpadded, empty": (
        {**DONE, "steps": [{"type": "thought", "signature": s} for s in ("c2ln", "a-_b", "YQ", "", "YQ==")]},
        set(),
    ),
    "the caller's own steps, given back": (
        {**DONE, "steps": [{"type": "thought", "signature": "no base64!"}, FOUND, {"type": "user_input"}]},
        set(),
    ),
    "not base64 after the caller's": (
        {**DONE, "steps": [{"type": "user_input"}, {"type": "thought", "signature": "no base64!"}]},
        {"steps.base64"},
    ),
    "not base64": ({**DONE, "steps": [{"type": "thought", "signature": "no base64!"}]}, {"steps.base64"}),
    "an impossible length": ({**DONE, "steps": [{"type": "thought", "signature": "abcde"}]}, {"steps.base64"}),
    "inline data": ({**DONE, "steps": [output({"type": "image", "data": "§"})]}, {"steps.base64"}),
    "a search result without items, as the streaming guide's second example assembles to": (
        {**DONE, "steps": [SEARCH, {"type": "google_search_result", "call_id": "s1", "is_error": False}]},
        set(),
    ),
    "a summary item without a type": ({**DONE, "steps": [{"type": "thought", "summary": [{"text": "x"}]}]}, set()),
    "a summary item of another type": (
        {**DONE, "steps": [{"type": "thought", "summary": [{"type": 5, "text": "x"}]}]},
        {"create.schema"},
    ),
    "a citation whose type is a number": (
        {**DONE, "steps": [output({**TEXT, "annotations": [{"type": 5}]})]},
        {"create.schema", "steps.discriminator"},
    ),
    "a citation of it all": (cited(start_index=0, end_index=7), set()),
    "a citation without indices": (cited(), set()),
    "a citation beyond the bytes": (cited(start_index=0, end_index=8), {"steps.annotation-range"}),
    "a citation of nothing": (cited(start_index=3, end_index=3), {"steps.annotation-range"}),
    "a citation before the text": (cited(start_index=-1, end_index=3), {"steps.annotation-range"}),
}


@in_one_test(CASES)
def test_judge_interaction(body: Any, rules: set[str]) -> None:
    """Each body breaks exactly the rules listed with it."""
    assert {finding.rule for finding in judge_interaction(body, load())} == rules


def test_a_citation_may_lack_its_type() -> None:
    """A citation without a type, as in the file search guide, is reported as lenient rather than wrong."""
    shown = {"custom_metadata": [{"key": "a", "string_value": "b"}], "page_number": 1}
    found = judge_interaction({**DONE, "steps": [output({**TEXT, "annotations": [shown]})]}, load())
    assert [(f.rule, f.severity) for f in found] == [("steps.discriminator", Severity.NON_STRICT)]


# --- token counts are valid, add up in either published reading, and modality shares do not exceed totals


TOOLS = {**USAGE, "total_tool_use_tokens": 7}

USAGES: dict[str, tuple[Any, list[str]]] = {
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


@in_one_test(USAGES)
def test_usage(usage: Any, rules: list[str]) -> None:
    """Each usage object breaks exactly the rules listed with it."""
    assert [finding.rule for finding in judge_usage(usage)] == rules


# --- error bodies in the API's shape, in the gateway's shape and in any other


ERRORS: dict[str, tuple[Any, int | None, list[str]]] = {
    "clean": ({"error": {"code": "not_found", "message": "x"}}, 404, []),
    "unlisted code": ({"error": {"code": "out_of_cheese", "message": "x"}}, 418, []),
    "status unknown": ({"error": {"code": "not_found", "message": "x"}}, None, []),
    "another status": ({"error": {"code": "not_found", "message": "x"}}, 400, ["err.code-status"]),
    "a status of servers without a word": ({"error": {"code": "service_unavailable", "message": "x"}}, 502, []),
    "a client's word for it": ({"error": {"code": "not_found", "message": "x"}}, 502, ["err.code-status"]),
    "another of servers": ({"error": {"code": "api_error", "message": "x"}}, 503, ["err.code-status"]),
    "capitals": ({"error": {"code": "NOT_FOUND", "message": "x"}}, 404, ["err.code-word"]),
    "empty code": ({"error": {"code": "", "message": "x"}}, 404, ["err.code-string"]),
    "gateway": ({"error": {"code": 404, "message": "x", "status": "NOT_FOUND"}}, 404, ["err.shape"]),
    "gateway in a list": ([{"error": {"code": 404, "message": "x"}}], 404, ["err.shape"]),
    "no message": ({"error": {"code": "not_found"}}, 404, ["err.shape"]),
    "no code": ({"error": {"message": "x"}}, 404, ["err.shape"]),
    "error of a string": ({"error": "x"}, 404, ["err.shape"]),
    "no error": ({}, 404, ["err.shape"]),
    "no object": (None, 404, ["err.shape"]),
    "two in a list": ([{}, {}], 404, ["err.shape"]),
    "lists in lists": ([[[{"error": {"code": 1, "message": "x"}}]]], 404, ["err.shape"]),
}


@in_one_test(ERRORS)
def test_judge_error(body: Any, status: int | None, rules: list[str]) -> None:
    """Each error body breaks exactly the rules listed with it."""
    assert [finding.rule for finding in judge_error(body, status)] == rules


@in_one_test(STATUS_OF.items())
def test_documented_codes_pass_with_their_status_only(code: str, status: int) -> None:
    body = {"error": {"code": code, "message": "x"}}
    assert judge_error(body, status) == []
    assert [finding.rule for finding in judge_error(body, 418)] == ["err.code-status"]


@in_one_test(status=range(400, 600))
def test_every_status_has_a_code_that_goes_with_it(status: int) -> None:
    """An error made from a status alone is never judged to have the wrong code."""
    assert judge_error({"error": {"code": code_of(status), "message": "No."}}, status) == []


def test_a_status_of_megabytes_costs_no_time() -> None:
    """It is like no listed word, so nothing compares all of it: a run with such responses keeps its deadline."""
    began = time.thread_time()
    found = list(judge_status_word("xy" * 1_500_000, ["completed", "in_progress", "requires_action"]))
    assert [finding.rule for finding in found] == ["create.status-listed"]
    assert time.thread_time() - began < 0.2
