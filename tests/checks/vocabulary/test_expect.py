"""The vocabulary of the judges: expected statuses, bodies, and the texts of findings."""

from __future__ import annotations

import gzip

import pytest

from harness.checks.vocabulary.expect import among, expect_alive, expect_status
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_value
from harness.outcome import Severity, Unmet
from tests.checks._play import answer, refusal


def test_a_rate_limit_is_no_evidence():
    """A 429 is never evidence: it neither passes nor fails, even where every 4xx would pass."""
    with pytest.raises(Unmet, match="429"):
        list(expect_status(refusal(429), accepts=CLIENT_ERROR))


def test_an_overloaded_api_is_no_evidence_unless_it_is_spoken_of():
    """A 503 in the API's error format is no evidence; a bare 503, or one that the caller expects, is judged."""
    with pytest.raises(Unmet, match="503"):
        list(expect_status(refusal(503), accepts=SUCCESS))
    assert [f.severity for f in expect_status(answer(503), accepts=SUCCESS)] == [Severity.BROKEN]
    tolerated = expect_status(refusal(503), accepts=SUCCESS, tolerates={503})
    assert [f.severity for f in tolerated] == [Severity.NON_STRICT]
    assert [f.severity for f in expect_alive(refusal(503), accepts=SUCCESS)] == [Severity.BROKEN]


@pytest.mark.parametrize(
    ("accepts", "words"),
    [
        ({404, 400}, "400 or 404"),
        (SUCCESS, "2xx"),
        ({*SUCCESS, 404}, "2xx or 404"),
        ({*SUCCESS, *CLIENT_ERROR} - {404, 405}, "2xx or 4xx other than 404 and 405"),
    ],
)
def test_what_was_expected_is_told_shortly(accepts, words):
    """A finding names the accepted statuses, and abbreviates whole classes as `2xx` or `4xx`."""
    assert next(expect_status(answer(500), accepts=accepts)).expected == words


def test_a_key_in_the_query_is_not_told():
    """A finding about a call with the key in its URL does not repeat the key."""
    finding = next(expect_status(answer(500, target="/v1/interactions/x?a=1&key=secret&b=2"), accepts={200}))
    assert "secret" not in finding.message
    assert "?a=1&key=…&b=2" in finding.message


def test_no_answers_are_no_pass():
    """A judge of a list raises Unmet for an empty list instead of passing it."""
    with pytest.raises(Unmet):
        list(among("errors", [], lambda answer: []))


def test_values_are_shown_briefly():
    """Deep, long and unprintable values are shortened to fit into a message."""
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert len(format_value("x" * 1000)) <= 120
    assert format_value(deep) == "a list that cannot be shown"
    format_value("\ud83d").encode()


def test_a_compressed_body_is_named_as_one():
    """If a body is gzip and no header says so, the message says so instead of printing the bytes."""
    body = gzip.compress(b'{"id": "v1_one"}')
    assert format_answer(answer(body=body)) == "200 a gzip body without Content-Encoding"
    assert "Content-Encoding" not in format_answer(answer(body=body, headers={"content-encoding": "gzip"}))
