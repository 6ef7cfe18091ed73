"""The vocabulary of the judges: expected statuses, bodies, and the texts of findings."""

from __future__ import annotations

import pytest

from harness.checks.vocabulary.expect import expect_alive, expect_status
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS
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


def test_a_key_in_the_query_is_not_told():
    """A finding about a call with the key in its URL does not repeat the key."""
    finding = next(expect_status(answer(500, target="/v1/interactions/x?a=1&key=secret&b=2"), accepts={200}))
    assert "secret" not in finding.message
    assert "?a=1&key=…&b=2" in finding.message
