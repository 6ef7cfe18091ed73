"""The body of a request in a few words: what is odd about it, never what it says. Layer 0."""

from __future__ import annotations

import json
import re

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]+")

_DEEP = 100
"""Nesting from which on it is worth a word."""


def describe_body(body: bytes) -> str:
    """`with a body of 20,040 bytes that is nested 10,000 deep`; `""` for no body."""
    if not body:
        return ""
    odd = _name_what_is_odd(body)
    return f"with a body of {len(body):,} bytes{f' that is {odd}' if odd else ''}"


def _name_what_is_odd(body: bytes) -> str:
    if (depth := count_depth(body)) >= _DEEP:
        return f"nested {depth:,} deep"
    try:
        json.loads(body.decode("utf-8"))
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError):
        return "not JSON"
    return ""


def count_depth(body: bytes) -> int:
    """How deep arrays and objects are nested in a text of JSON, without parsing it."""
    depth = deepest = 0
    for run in _BRACKETS.findall(_TEXT.sub(b"", body)):
        for byte in run:
            depth += 1 if byte in b"[{" else -1
            deepest = max(deepest, depth)
    return deepest
