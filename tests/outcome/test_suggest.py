"""Suggestions for misspelt words."""

from __future__ import annotations

import pytest

from harness.outcome.suggest import did_you_mean, nearest

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
