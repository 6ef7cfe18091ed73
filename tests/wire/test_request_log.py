"""The log of requests: what is kept of a long body, and at what price."""

from __future__ import annotations

import json

from harness.wire import Headers, Request
from harness.wire.request_log import RequestLog


def log_of(body: object) -> RequestLog:
    """A log that received one request with this body."""
    log = RequestLog(10)
    log.add(Request("POST", "/v1beta/interactions", Headers(), json.dumps(body).encode()))
    return log


def test_long_texts_are_cut_and_the_rest_is_kept():
    """A body that is long because of one text stays readable as JSON."""
    [kept] = log_of({"model": "m", "input": ["x" * 200_000, 1]}).to_dicts()
    assert kept["body"] == {"model": "m", "input": ["x" * 1000 + "… (199000 more characters)", 1]}


def request_of(number: int, key: str = "") -> Request:
    """A create with a body of its own, and with a key."""
    headers = Headers([("x-goog-api-key", key)]) if key else Headers()
    return Request("POST", "/v1beta/interactions", headers, json.dumps({"input": f"Say {number}."}).encode())


def test_a_key_that_comes_later_is_hidden_in_what_was_shown_before():
    """The text of the first request holds the key, and only the second says that it is one."""
    key = "AIza" + "Q7x2" * 9
    log = RequestLog(100)
    log.add(Request("POST", "/v1beta/interactions", Headers(), json.dumps({"input": f"<{key[4:]}>"}).encode()))
    [before] = log.to_dicts()
    log.add(request_of(1, key[4:]))
    after, _ = log.to_dicts()
    assert (before["body"], after["body"]) == ({"input": f"<{key[4:]}>"}, {"input": "<***>"})


def test_what_a_test_does_to_its_copy_does_not_come_back():
    """Each look has values of its own."""
    log = RequestLog(100)
    log.add(request_of(0, "any"))
    [mine] = log.to_dicts()
    mine["body"]["input"] = "changed"
    mine["headers"].clear()
    [again] = log.to_dicts()
    assert again["body"] == {"input": "Say 0."}
    assert again["headers"] == {"x-goog-api-key": "***"}
