"""How messages shorten long texts and count things."""

from __future__ import annotations

import pytest

from harness.outcome.words import (
    describe_body,
    did_you_mean,
    format_count,
    list_some,
    nearest,
    quote_body,
    shorten,
    shorten_with_length,
)


@pytest.mark.parametrize(("text", "told"), [("", ""), ("12345", "12345"), ("123456", "1234…")])
def test_a_text_is_cut_to_what_is_shown(text: str, told: str) -> None:
    """A shortened text, including its ellipsis, is never longer than the limit."""
    assert shorten(text, 5) == told


def test_a_text_that_is_compared_tells_how_long_it_is() -> None:
    """A shortened text states its full length, since two texts may differ after the part that is shown."""
    assert [shorten_with_length("12345", 5), shorten_with_length("123456", 5)] == [
        "12345",
        "12345… (6 characters)",
    ]


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


def test_numbers_and_nouns_agree() -> None:
    """A count uses the singular or plural of its noun, and the plural can be given."""
    assert [format_count(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert [format_count(number, "reply", "replies") for number in (1, 2)] == ["1 reply", "2 replies"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], ""),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more (-v)"),
        (["a", "b", "c", "d"], "a, b and 2 more (-v)"),
    ],
)
def test_a_long_list_tells_how_many_are_left_out(names: list[str], told: str) -> None:
    """Of a list, as many names as were asked for are shown, and the hint only if some are left out."""
    assert list_some(names, 2, hint="-v") == told
    assert list_some(names, 2) == told.replace(" (-v)", "")


# Suggestions for misspelt words.


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


def test_the_dashes_of_a_flag_are_no_likeness() -> None:
    """A flag is compared without its dashes: they would make all short flags alike."""
    flags = ["--verbose", "--report", "--baseline"]
    assert (nearest("--bogus", flags), nearest("--verbos", flags)) == ([], ["--verbose"])
    assert nearest("resume.nogap", ["resume.no-gap", "resume.opens"]) == ["resume.no-gap"]


def test_a_message_ends_with_what_helps() -> None:
    """A message suggests similar words, else the caller's text, else all words if they are few."""
    assert did_you_mean("stram", WORDS) == ": did you mean 'stream' or 'steam'?"
    assert did_you_mean("xyzzy", WORDS, otherwise=" (see --help)") == " (see --help)"
    assert did_you_mean("xyzzy", WORDS) == ": known are stream, steam, store, background"
    assert did_you_mean("xyzzy", []) == ""
    assert did_you_mean("xyzzy", [f"a{number}" for number in range(31)]) == ""


# A body is described by what is odd about it.


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
