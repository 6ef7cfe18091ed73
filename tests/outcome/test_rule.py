"""A rule cites its source, and the basis of the source limits the rule's level."""

from __future__ import annotations

import pytest

from harness.outcome import Basis, Finding, Level, Rule, Source, Where


def rule(basis: Basis, level: Level) -> Rule:
    """A rule of the given level and basis."""
    return Rule(id="a.b", level=level, statement="s", breaks="b", source=Source(basis, "page", "section"))


@pytest.mark.parametrize("basis", [Basis.OBSERVED, Basis.INFERRED])
def test_what_nobody_wrote_is_never_a_must(basis: Basis) -> None:
    """A rule that was only observed or inferred is a SHOULD at most, and the error says what to change."""
    assert rule(basis, Level.SHOULD).level is Level.SHOULD
    with pytest.raises(ValueError, match="lower the level or cite a stronger source"):
        rule(basis, Level.MUST)


def test_a_finding_gains_its_place() -> None:
    """`at` returns a copy with the given parts of the place filled in; the original is unchanged."""
    finding = Finding("r", "m", where=Where(pointer="$.a"))
    assert finding.at(exchange="x", event=3).where == Where(exchange="x", event=3, pointer="$.a")
    assert finding.where == Where(pointer="$.a")
