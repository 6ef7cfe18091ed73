"""What stands in a page is escaped, whatever else is done to it."""

from __future__ import annotations

import pytest

from harness.report.page.rendering import format_breakable, format_prose


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
