"""The strings of a JSON text are found with the names above them, even in truncated JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.tokens import _TOKEN, closed_text, decode_literal, encode_literal, tokens

VALUES = st.recursive(
    st.text(max_size=6) | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def strings(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, tuple[str, ...], bool]]:
    """(text, names above it, whether it is a name) of each string, in document order."""
    if isinstance(value, str):
        return [(value, path, False)]
    if isinstance(value, list):
        return [found for item in value for found in strings(item, path)]
    if isinstance(value, dict):
        own = [[(name, path, True), *strings(item, (*path, name))] for name, item in value.items()]
        return [found for part in own for found in part]
    return []


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_every_string(value: Any, ascii_only: bool, indent: int | None) -> None:
    """Each string is found with its value, the names above it and its position."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    found = [token for token in tokens(text) if token.is_string]
    named = [(t.text, tuple(name for name in t.path if name), t.is_name) for t in found]
    assert named == [(text, tuple(n for n in path if n), name) for text, path, name in strings(value)]
    assert [json.loads(text[t.start : t.end]) for t in found] == [t.text for t in found]


@given(VALUES, st.integers(0, 200))
def test_cut_text(value: Any, cut: int) -> None:
    """In truncated JSON, strings before the cut are found whole, and a string that is cut is found up to there."""
    whole = json.dumps({"x": value})
    text = whole[: min(cut, len(whole) - 1)]
    before = [t for t in tokens(whole) if t.is_string]
    found = [t for t in tokens(text) if t.is_string]
    assert [t.text for t in found if t.closed] == [t.text for t in before if t.end <= len(text)]
    for token in found:
        if not token.closed:
            assert before[len(found) - 1].text.startswith(_whole(token.text))


@pytest.mark.parametrize(
    ("text", "value", "closed"),
    [
        (r'["a', "a", False),
        (r'["a"', "a", True),
        (r'["', "", False),
        (r'["a\"', 'a"', False),
        (r'["a\\"', "a\\", True),
        (r'["a\\', "a\\", False),
        ('["a\\', "a", False),
        (r'["a\u00', "a", False),
        (r'["a\\u00', "a\\u00", False),
        (r'["a\u00e9', "aé", False),
    ],
)
def test_where_a_string_ends(text: str, value: str, closed: bool) -> None:
    """An escaped quote does not end a string, and an incomplete escape is not part of its value."""
    (token,) = tokens(text)
    assert (token.text, token.closed) == (value, closed)


def _whole(text: str) -> str:
    """The text without the half of a surrogate pair that a cut may leave."""
    return text[:-1] if text and "\ud800" <= text[-1] <= "\udbff" else text


@given(st.dictionaries(st.text("abc", min_size=1), st.text(max_size=9), min_size=1))
def test_closed(value: dict[str, str]) -> None:
    """JSON that was cut inside a value can be parsed after it has been closed."""
    text = json.dumps(value)[:-2]
    assert list(json.loads(closed_text(text), strict=False)) == list(value)


@given(st.text())
def test_literals(text: str) -> None:
    """An encoded literal decodes to the original text, and is ASCII if the literal it replaces was."""
    assert decode_literal(encode_literal(text, "é")) == text
    assert encode_literal(text, "e").isascii()


def test_a_text_that_only_nests() -> None:
    """The path of a token is limited in depth, so that deep nesting does not cost quadratic time."""
    found = list(tokens('{"a":' * 5_000 + '{"b":"c'))
    assert (len(found), found[-1].path[-1]) == (5_002, "b")
    assert max(len(token.path) for token in found) <= 65


@pytest.mark.slow
@pytest.mark.parametrize("length", [4095, 4096, 4097, 300_000])
@pytest.mark.parametrize("text", ["x", "x" * 99 + "\n", '"', "\\", 'é\\"', '{"a": [1, "b"]}'])
def test_long_strings(text: str, length: int) -> None:
    """A string of any length is found whole, whatever is escaped in it; so is what follows, or where it is cut."""
    long = (text * length)[:length]
    whole = json.dumps({"long": long, "next": [1, "x"]})
    assert [token.text for token in tokens(whole)] == ["long", long, "next", "1", "x"]
    cut = whole[: whole.index('", "next') + 1 - 3]
    last = list(tokens(cut))[-1]
    assert (last.closed, long.startswith(last.text), len(long) - len(last.text) < 4) == (False, True, True)


def test_a_long_string_holds_up_nobody() -> None:
    """The expression, which keeps all other threads waiting, does not go through a long string."""
    for text in ("x" * 10_000_000, "\\n" * 5_000_000):
        match = _TOKEN.match(f'"{text}"')
        assert match is not None
        assert match.end() == 1
