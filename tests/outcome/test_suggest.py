"""What was probably meant."""

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
    """Spelling decides, then the beginning; one that is far off stands alone, and nonsense is near nothing."""
    assert nearest(word, WORDS) == near
    assert nearest(word, WORDS, most=1) == near[:1]


def test_a_message_ends_with_what_helps() -> None:
    """The near words; else what the caller would say; else all words, if they are few."""
    assert did_you_mean("stram", WORDS) == ": did you mean 'stream' or 'steam'?"
    assert did_you_mean("xyzzy", WORDS, otherwise=" (see --help)") == " (see --help)"
    assert did_you_mean("xyzzy", WORDS) == ": known are stream, steam, store, background"
    assert did_you_mean("xyzzy", []) == ""
    assert did_you_mean("xyzzy", [f"a{number}" for number in range(21)]) == ""
