"""The log of requests: what is kept of a long body, and at what price."""

from __future__ import annotations

import json

import msgspec
import pytest

from harness.wire import Headers, Request
from harness.wire.request_log import KEPT_BODY, RequestLog


def log_of(body: object) -> RequestLog:
    """A log that received one request with this body."""
    log = RequestLog(10)
    log.add(Request("POST", "/v1beta/interactions", Headers(), json.dumps(body).encode()))
    return log


def test_long_texts_are_cut_and_the_rest_is_kept():
    """A body that is long because of one text stays readable as JSON."""
    [kept] = log_of({"model": "m", "input": ["x" * 200_000, 1]}).to_dicts()
    assert kept["body"] == {"model": "m", "input": ["x" * 1000 + "… (199000 more characters)", 1]}


@pytest.mark.parametrize("body", [[1] * 100_000, [{"a": "b"}] * 100_000, {"x": [["y"] * 10] * 10_000}])
def test_a_body_of_many_values_is_not_copied_to_be_thrown_away(monkeypatch, body):
    """Millions of small values would hold up everybody; that their copy is too long is known after some."""
    monkeypatch.setattr(msgspec.json, "encode", pytest.fail)
    [kept] = log_of(body).to_dicts()
    assert len(kept["body"]) == KEPT_BODY
