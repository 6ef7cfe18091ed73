"""What stands in a page is escaped, whatever else is done to it."""

from __future__ import annotations

import pytest

from harness.report.page.rendering import compare_texts, format_breakable, format_prose
from tests.growth import TIMES, assert_linear


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("@google/genai 3.1.0", "@google/<wbr>genai 3.1.0"),
        ("harness.resume", "harness.<wbr>resume"),
        ("<b>/x", "&lt;b&gt;/<wbr>x"),
        ("curl", "curl"),
    ],
)
def test_a_name_breaks_where_its_parts_meet(name: str, text: str) -> None:
    """A version is never broken, and a name never brings markup."""
    assert format_breakable(name) == text


def test_no_line_begins_with_a_unit() -> None:
    """A number and its unit stay together; other words may part."""
    assert (
        format_prose("92.0 % of 25 defects in 10.5 s: 3 shown") == "92.0\xa0% of 25 defects in 10.5\xa0s: 3 shown"
    )


@pytest.mark.parametrize(("one", "other"), [("!?!!?!", "!.,!.,"), ("a b c ", "c b "), ("abc-", "-")])
def test_two_texts_of_a_server_are_compared_in_bounded_time(one: str, other: str) -> None:
    """Each finding has two, and a target chooses them: a comparison of words may take the cube of their number."""
    length = 4_000 // TIMES

    def compare(size: int) -> object:
        return compare_texts((one * size)[:size], (other * size)[:size])

    assert_linear(lambda: [compare(length) for _ in range(9)], lambda: [compare(length * TIMES) for _ in range(9)])


def test_the_parts_that_differ_are_marked() -> None:
    left, right = compare_texts("the status is 200 here", "the status is 404 here")
    assert [part.text for part in left if part.differs] == ["200"]
    assert [part.text for part in right if part.differs] == ["404"]
