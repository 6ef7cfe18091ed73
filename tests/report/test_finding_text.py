"""A single finding is rendered as text."""

from __future__ import annotations

import pytest

from harness.outcome import Finding, Level, Where
from harness.report.finding_text import finding_lines, hide_secrets, place
from harness.rules import BY_ID, level_of
from harness.wire.mask import Mask

SECRET = "a-secret-of-the-run"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (Where(), ""),
        (Where(file="a.yaml"), ""),
        (Where(event=0), "event 0"),
        (Where(start=0, end=7), "bytes 0–7"),
        (Where("made", "a.yaml", 3, 10, 20, "$.id"), "exchange 'made', event 3, bytes 10–20, at $.id"),
    ],
)
def test_a_place_is_told_as_far_as_it_is_known(where: Where, words: str) -> None:
    """Only the known parts of a place are shown; 0 is a known part, and the file is left out."""
    assert place(where) == words


def test_a_finding_is_its_message_and_what_was_compared() -> None:
    """A finding is shown with its comparison if there is one, secrets hidden and control characters escaped."""
    place = Where(pointer="$.id")
    finding = Finding("get.ok", f"lost {SECRET}", f"not {SECRET}", "data: 1\n\n\x1b[2J", where=place)
    assert list(finding_lines(hide_secrets(finding, Mask({"KEY": SECRET})))) == [
        "lost *** (at $.id)",
        "  expected: not ***",
        r"  actual:   data: 1\n\n\x1b[2J",
    ]
    assert list(finding_lines(Finding("get.ok", "lost"))) == ["lost"]


def test_a_finding_of_no_rule_is_not_passed_over() -> None:
    """A finding with an unknown rule id counts as a MUST."""
    assert level_of("no.such-rule") is Level.MUST
    assert {level_of(rule.id) for rule in BY_ID.values()} >= {Level.SHOULD, Level.MAY}
