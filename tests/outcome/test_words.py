"""How messages shorten long texts and count things."""

from __future__ import annotations

import pytest

from harness.outcome.words import format_count, list_some, shorten, shorten_with_length


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
