"""Error bodies in the API's shape, in the gateway's shape and in any other."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.judge.errors import error_of, judge_error
from harness.contract.tables.protocol import STATUS_OF, code_of
from harness.outcome import Severity

CASES: dict[str, tuple[Any, int | None, list[str]]] = {
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


@pytest.mark.parametrize(("body", "status", "rules"), CASES.values(), ids=CASES)
def test_judge_error(body: Any, status: int | None, rules: list[str]) -> None:
    """Each error body breaks exactly the rules listed with it."""
    assert [finding.rule for finding in judge_error(body, status)] == rules


def test_values_are_told_in_words_of_json() -> None:
    """A finding uses JSON's words, such as null or absent, and not Python's."""
    (finding,) = judge_error({"error": {"code": None}}, 404)
    assert finding.actual == "code: null, message: absent"
    (finding,) = judge_error([], 404)
    assert finding.actual == "array"


def test_only_the_gateway_is_tolerated() -> None:
    """Only the error shape of the gateway in front of the API is tolerated as lenient."""
    severities = {
        name: judge_error(body, status)[0].severity for name, (body, status, rules) in CASES.items() if rules
    }
    lenient = {name for name, severity in severities.items() if severity is Severity.NON_STRICT}
    assert lenient == {"gateway", "gateway in a list"}


@pytest.mark.parametrize(("code", "status"), STATUS_OF.items())
def test_documented_codes_pass_with_their_status_only(code: str, status: int) -> None:
    body = {"error": {"code": code, "message": "x"}}
    assert judge_error(body, status) == []
    assert [finding.rule for finding in judge_error(body, 418)] == ["err.code-status"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"code": "a", "message": "m"}}, ("a", "m")),
        ({"error": {"code": 404, "message": "m"}}, ("404", "m")),
        ([{"error": {"code": 404}}], ("404", "")),
        ({"error": {"status": "NOT_FOUND"}}, ("NOT_FOUND", "")),
        ({"error": "x"}, None),
        ([], None),
        (None, None),
    ],
)
def test_error_of(body: Any, expected: tuple[str, str] | None) -> None:
    """Code and message are extracted from any of the known shapes."""
    assert error_of(body) == expected


@pytest.mark.parametrize("status", range(400, 600))
def test_every_status_has_a_code_that_goes_with_it(status: int) -> None:
    """An error made from a status alone is never judged to have the wrong code."""
    assert judge_error({"error": {"code": code_of(status), "message": "No."}}, status) == []
