"""Parsing bytes that may not be JSON returns None instead of raising; writing never raises either."""

from __future__ import annotations

from typing import Any

import pytest

from harness.wire.json_value import encode_json, json_or_none, object_or_none


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1]}', {"a": [1]}),
        (b"[1]", [1]),
        (b"null", None),
        (b"", None),
        (b"{", None),
        (b'"\xff"', None),
        (b"[" * 200_000, None),
    ],
    ids=["object", "array", "null", "empty", "cut", "not UTF-8", "nested too deep"],
)
def test_bytes_are_a_value_or_none(data: bytes, value: Any) -> None:
    """Any bytes give a value or None without raising, and only a JSON object counts as an object."""
    assert json_or_none(data) == value
    assert object_or_none(data) == (value if isinstance(value, dict) else None)


def test_values_are_written_as_they_were_read() -> None:
    """Characters stay characters, compact or not, and half a surrogate, which cannot be UTF-8, does not raise."""
    assert encode_json({"a": ["é", 1]}) == '{"a": ["é", 1]}'.encode()
    assert encode_json({"a": ["é", 1]}, compact=True) == '{"a":["é",1]}'.encode()
    assert encode_json(json_or_none(b'"\\ud83e"')) == b'"\xed\xa0\xbe"'
