"""A body is described by what is odd about it."""

from __future__ import annotations

import pytest

from harness.outcome.body_words import describe_body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b'{"a": [1]}', "with a body of 10 bytes"),
        (b"[" * 150 + b"]" * 150, "with a body of 300 bytes that is nested 150 deep"),
        (b'{"a": "' + b"[" * 150 + b'"}', "with a body of 159 bytes"),
        (b'{"a": ', "with a body of 6 bytes that is not JSON"),
        (b"\xff", "with a body of 1 bytes that is not UTF-8"),
        (b"[" * 100_000, "with a body of 100,000 bytes that is nested 100,000 deep"),
    ],
)
def test_what_is_odd_about_a_body(body: bytes, words: str) -> None:
    """Nesting, what is no JSON and what is no UTF-8 are named; brackets in texts are no nesting."""
    assert describe_body(body) == words
