"""How messages word long texts and numbers."""

from __future__ import annotations

import pytest

from harness.outcome.words import counted, measured, shortened


@pytest.mark.parametrize(("text", "told"), [("", ""), ("12345", "12345"), ("123456", "1234…")])
def test_a_text_is_cut_to_what_is_shown(text: str, told: str) -> None:
    """The ellipsis counts, so nothing is longer than was asked for."""
    assert shortened(text, 5) == told


def test_a_text_that_is_compared_tells_how_long_it_is() -> None:
    """Two texts that begin alike may differ behind what is shown."""
    assert [measured("12345", 5), measured("123456", 5)] == ["12345", "12345… (6 characters)"]


def test_numbers_and_nouns_agree() -> None:
    """One thing, several things, none; with the plural that the noun has."""
    assert [counted(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert [counted(number, "reply", "replies") for number in (1, 2)] == ["1 reply", "2 replies"]
