"""A text is searched only where a secret might begin, and nothing is missed by that."""

from __future__ import annotations

import pytest

import harness.wire.secrets.hints
from harness.wire.secrets.hints import PART, hints, regions
from harness.wire.secrets.patterns import sightings
from tests.cassette.redaction.test_redactor import LOOKS

FILLER = "Lorem ipsum dolor. "
SHORT = 16 * 1024
"""Length of the parts of a text, where what counts is only that there are several."""


@pytest.mark.parametrize("look", LOOKS, ids=lambda word: word[:14])
def test_every_look_is_hinted_at(look: str) -> None:
    """Whatever a pattern matches contains a hint."""
    assert hints(f"x {look} y")
    assert list(sightings(f"x {look} y"))


@pytest.mark.slow
@pytest.mark.parametrize("filler", [FILLER, "Löwe "])
@pytest.mark.parametrize("at", [0, SHORT - 40, SHORT, 2 * SHORT - 9])
def test_nothing_is_missed_in_a_long_text(at: int, filler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are found at the same place in a long text as in a short one, wherever the parts of it begin."""
    monkeypatch.setattr(harness.wire.secrets.hints, "PART", SHORT)
    around = filler * (3 * SHORT // len(filler))
    for look in LOOKS:
        text = f"{around[:at]}\n{look}\n{around[at:]}"
        short = {(kind, start + at, end + at) for kind, start, end in sightings(f"\n{look}\n")}
        assert {seen for seen in short if seen[2] <= at + len(look) + 1} <= set(sightings(text))


def test_a_secret_may_be_longer_than_the_part_that_is_searched() -> None:
    """A token of a megabyte is found to its end."""
    text = f"{FILLER * PART} https://a.example/?key={'a1' * 500_000} and more"
    ((_, start, end),) = [seen for seen in sightings(text) if seen.kind == "credential in a URL"]
    assert text[start:end] == "a1" * 500_000


def test_text_without_hints_is_not_searched() -> None:
    """Only the surroundings of a hint are searched with the patterns."""
    text = FILLER * PART
    assert list(regions(text)) == []
    ((start, end),) = regions(f"{text}secret{text}")
    assert start < len(text) < end
    assert end - start < PART
