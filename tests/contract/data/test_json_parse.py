"""Parsing bytes as JSON is strict, names the reason for a failure and never raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.data.json_parse import loads

FAULTS = {
    b"": "syntax",
    b"{": "syntax",
    b"{'a':1}": "syntax",
    b"NaN": "syntax",
    b"[Infinity]": "syntax",
    b"1 2": "syntax",
    b"\xff": "encoding",
    b'"\xed\xa0\xbd"': "encoding",
    b'"\\ud83d"': "surrogate",
    b"[" * 100_000 + b"]" * 100_000: "depth",
}


@pytest.mark.parametrize(("data", "fault"), FAULTS.items())
def test_what_is_wrong_is_named(data: bytes, fault: str) -> None:
    """Each kind of invalid input has its own fault and a detail."""
    read = loads(data)
    assert read.fault == fault
    assert read.detail


def test_half_a_pair_still_has_a_value() -> None:
    """JSON with lone surrogates still has a value, in which they are replaced."""
    assert loads(b'{"a":["x\\ud83d",1]}').value == {"a": ["x?", 1]}


@given(st.binary(max_size=40))
def test_no_bytes_raise(data: bytes) -> None:
    """Any bytes give a value or a reason, without raising."""
    loads(data)


@pytest.mark.slow
@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_agrees_with_the_standard_library(value: object) -> None:
    """JSON written by the standard library is parsed back to the same value."""
    assert loads(json.dumps(value, ensure_ascii=False).encode()).value == value


def test_huge_numbers_are_numbers() -> None:
    """Integers and floats that are too large for a machine number are still valid JSON."""
    assert loads(b"9" * 400).fault == ""
    assert loads(b"1e999").fault == ""
