"""How messages shorten long texts and count things."""

from __future__ import annotations

import pytest

from harness.outcome.words import did_you_mean, dump, nearest, quote_body


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"a":  1}\n', '{"a": 1}'),
        ("<!DOCTYPE html><title>501 No</title><style>p{}</style><h1>501 No</h1><p>a &amp; b", "501 No a & b"),
        ("\n<html>\r\n<body><!-- x --><script>x<y</script>It works", "It works"),
        ("<html><title>a", "a"),
        ("<xml>a</xml>", "<xml>a</xml>"),
    ],
)
def test_of_a_page_the_words_are_quoted(body: str, told: str) -> None:
    """Markup, style and scripts of an error page say nothing to the reader of a message."""
    kind = "an HTML page: " if "ht" in body or "HTML" in body else ""
    assert quote_body(body.encode(), 80) == kind + told
    assert len(quote_body(body.encode(), 16)) <= 16


WORDS = ["stream", "steam", "store", "background"]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("stram", ["stream", "steam"]),
        ("bac", ["background"]),
        ("bckgrnd", ["background"]),
        ("bakgr", ["background"]),
        ("xyzzy", []),
        ("", []),
    ],
)
def test_the_nearest_words_come_first(word: str, near: list[str]) -> None:
    """Close spellings are suggested, else words with that prefix, else one similar word, else none."""
    assert nearest(word, WORDS) == near
    assert nearest(word, WORDS, most=1) == near[:1]


def test_a_message_ends_with_what_helps() -> None:
    """A message suggests similar words, else the caller's text, else all words if they are few."""
    assert did_you_mean("stram", WORDS) == ": did you mean 'stream' or 'steam'?"
    assert did_you_mean("xyzzy", WORDS, otherwise=" (see --help)") == " (see --help)"
    assert did_you_mean("xyzzy", WORDS) == ": known are stream, steam, store, background"
    assert did_you_mean("xyzzy", []) == ""
    assert did_you_mean("xyzzy", [f"a{number}" for number in range(31)]) == ""


def test_json_can_always_be_encoded() -> None:
    """Lone surrogates and what no viewer shows are escaped; a number that JSON lacks is as Python writes it."""
    assert dump({"é": "\ud800\x85", "none": [], "one": [{}]}) == (
        '{\n  "é": "\\ud800\\u0085",\n  "none": [],\n  "one": [\n    {}\n  ]\n}\n'
    )
    assert dump([1e999]) == "[\n  Infinity\n]\n"
