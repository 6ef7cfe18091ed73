"""The vocabulary of the judges: expected statuses, bodies, and the texts of findings."""

from __future__ import annotations

import gzip

import pytest

from harness.checks.vocabulary.expect import (
    among,
    expect_alive,
    expect_interaction,
    expect_object,
    expect_offered,
    expect_status,
    input_text,
    interaction_in,
)
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_value
from harness.outcome import Severity, Unmet
from tests.checks._play import answer, interaction, refusal

TEXT = [{"type": "text", "text": "He"}, {"type": "image", "data": ""}, {"type": "text", "text": "llo"}]
INPUT = {"type": "user_input", "content": TEXT}


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        (200, None),
        (404, Severity.NON_STRICT),
        (409, Severity.INFORMATION),
        (500, Severity.BROKEN),
        (None, Severity.BROKEN),
    ],
)
def test_a_status_is_as_bad_as_the_first_set_that_has_it(status, severity):
    """A status gets the severity of the first set that contains it; any other status, or no answer, is broken."""
    found = list(expect_status(answer(status), accepts={200}, tolerates={404}, notes={404, 409}))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


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
    ("given", "flaws"),
    [
        (answer(body=interaction()), 0),
        (answer(body={"id": ""}), 0),
        (answer(body={}), 1),
        (answer(body={"outputs": []}), 1),
        (answer(body=[interaction()]), 1),
        (answer(body=b"<html>", label="text/html"), 1),
        (answer(204), 1),
        (refusal(400), 1),
        (answer(None), 1),
    ],
)
def test_a_success_that_is_no_interaction_is_broken(given, flaws):
    """Where an interaction is required, a 2xx without one is broken; other checks judge its fields."""
    assert [f.severity for f in expect_interaction(given)] == [Severity.BROKEN] * flaws


def test_what_is_offered_may_be_refused_and_not_crash():
    """A clean refusal of an optional ability makes it absent; a 5xx makes it broken."""
    with pytest.raises(Unmet, match="rejected"):
        list(expect_offered(refusal(400)))
    assert [f.severity for f in expect_offered(refusal(500))] == [Severity.BROKEN]
    assert list(expect_object(answer(body={}))) == []


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


def test_what_came_is_told_by_its_error():
    """A finding shows the code and message of the error, and the request that it answers."""
    finding = next(expect_status(refusal(500, "api_error", "Oh."), accepts={200}))
    assert finding.actual == "500 api_error: Oh."
    assert "GET /v1beta/interactions/x" in finding.message


def test_a_key_in_the_query_is_not_told():
    """A finding about a call with the key in its URL does not repeat the key."""
    finding = next(expect_status(answer(500, target="/v1/interactions/x?a=1&key=secret&b=2"), accepts={200}))
    assert "secret" not in finding.message
    assert "?a=1&key=…&b=2" in finding.message


@pytest.mark.parametrize("odd", [answer(None), refusal(404), answer(body=[]), answer(body=b"\xff")])
def test_no_interaction_is_unmet(odd):
    with pytest.raises(Unmet):
        interaction_in(odd)


def test_the_input_is_told():
    """`input_text` joins the text parts of the input, in order."""
    assert input_text(interaction(steps=[INPUT, {"type": "model_output", "content": TEXT[:1]}])) == "Hello"


@pytest.mark.parametrize(
    ("body", "text"),
    [({"input": "Hi"}, "Hi"), ({"input": TEXT}, "Hello"), ({"input": None}, ""), ({}, None)],
)
def test_input_may_be_shown_beside_the_steps(body, text):
    """If the steps hold no input, the `input` field is used; without that either, the input is unknown."""
    assert input_text(body) == text


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
