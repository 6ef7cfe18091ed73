"""A rule cites its source, and the basis of the source limits the rule's level."""

from __future__ import annotations

import pytest

from harness.outcome import Basis, Finding, Level, Rule, Source, Unmet, Where


def rule(basis: Basis, level: Level) -> Rule:
    """A rule of the given level and basis."""
    return Rule(id="a.b", level=level, statement="s", breaks="b", source=Source(basis, "page", "section"))


@pytest.mark.parametrize("basis", [Basis.OBSERVED, Basis.INFERRED])
def test_what_nobody_wrote_is_never_a_must(basis: Basis) -> None:
    """A rule that was only observed or inferred is a SHOULD at most, and the error says what to change."""
    assert rule(basis, Level.SHOULD).level is Level.SHOULD
    with pytest.raises(ValueError, match="lower the level or cite a stronger source"):
        rule(basis, Level.MUST)


@pytest.mark.parametrize("basis", [Basis.DOCUMENTED, Basis.SCHEMA, Basis.GENERIC, Basis.COMPARED])
def test_what_is_written_may_be_a_must(basis: Basis) -> None:
    """A rule based on documentation, a schema, a general standard or a comparison may have any level."""
    assert {rule(basis, level).level for level in Level} == set(Level)


def test_a_source_reads_as_a_sentence() -> None:
    """The text of a source has its page, its section if there is one, and its basis."""
    assert str(Source(Basis.DOCUMENTED, "Page", "Part")) == "Page, Part (documented)"
    assert str(Source(Basis.SCHEMA, "Page")) == "Page (schema)"


def test_the_area_is_the_first_word() -> None:
    """The area of a rule is the part of its id before the first dot."""
    assert rule(Basis.SCHEMA, Level.MAY).area == "a"


def test_a_finding_gains_its_place() -> None:
    """`at` returns a copy with the given parts of the place filled in; the original is unchanged."""
    finding = Finding("r", "m", where=Where(pointer="$.a"))
    assert finding.at(exchange="x", event=3).where == Where(exchange="x", event=3, pointer="$.a")
    assert finding.where == Where(pointer="$.a")


def test_unmet_says_why() -> None:
    """An unmet prerequisite has a reason and says whether a race was lost."""
    unmet = Unmet("too fast", race_lost=True)
    assert (unmet.reason, unmet.race_lost, str(unmet)) == ("too fast", True, "too fast")
