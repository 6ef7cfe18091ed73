"""Rules carry their source, and the source bounds the level."""

from __future__ import annotations

import pytest

from harness.outcome import Basis, Finding, Level, Rule, Source, Unmet, Where


def rule(basis: Basis, level: Level) -> Rule:
    """A rule of that level on that basis."""
    return Rule(id="a.b", level=level, statement="s", breaks="b", source=Source(basis, "page", "section"))


@pytest.mark.parametrize("basis", [Basis.OBSERVED, Basis.INFERRED])
def test_what_nobody_wrote_is_never_a_must(basis: Basis) -> None:
    """Observation and inference carry a SHOULD at most, and the error says what to do."""
    assert rule(basis, Level.SHOULD).level is Level.SHOULD
    with pytest.raises(ValueError, match="lower the level or cite a stronger source"):
        rule(basis, Level.MUST)


@pytest.mark.parametrize("basis", [Basis.DOCUMENTED, Basis.SCHEMA, Basis.GENERIC, Basis.COMPARED])
def test_what_is_written_may_be_a_must(basis: Basis) -> None:
    """Documentation, schemas, generic law and the two sides of one gateway carry any level."""
    assert {rule(basis, level).level for level in Level} == set(Level)


def test_a_source_reads_as_a_sentence() -> None:
    """Page, section and basis are in the text, the section only where there is one."""
    assert str(Source(Basis.DOCUMENTED, "Page", "Part")) == "Page, Part (documented)"
    assert str(Source(Basis.SCHEMA, "Page")) == "Page (schema)"


def test_the_area_is_the_first_word() -> None:
    """Rules group by what comes before their first dot."""
    assert rule(Basis.SCHEMA, Level.MAY).area == "a"


def test_a_finding_gains_its_place() -> None:
    """`at` fills in parts of the place and leaves the rest, and the original, as they were."""
    finding = Finding("r", "m", where=Where(pointer="$.a"))
    assert finding.at(exchange="x", event=3).where == Where(exchange="x", event=3, pointer="$.a")
    assert finding.where == Where(pointer="$.a")


def test_unmet_says_why() -> None:
    """An unmet prerequisite carries its reason, and whether a race was lost."""
    unmet = Unmet("too fast", race_lost=True)
    assert (unmet.reason, unmet.race_lost, str(unmet)) == ("too fast", True, "too fast")
