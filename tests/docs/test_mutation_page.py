"""The page of the mutation score: made of the reports that a command takes over."""

from __future__ import annotations

from typing import Any

from harness.defects.generation import load_excuses
from harness.rules import ROWS
from tests.docs.site import condense, mutation_page, write_page


def record(name: str, outcome: str, *, part: str = "field", excuse: str = "", level: str = "") -> dict[str, Any]:
    """Return one defect as a report has it."""
    place = {"operator": "dropped", "part": part, "field": "id", "value": "", "call": "GET x", "mode": "plain"}
    killers = ["create.id"] if outcome in ("failed", "warned") else []
    more = {"moment": "at once", "when": "every time", "killers": killers, "errors": [], "seconds": 0.1}
    return {"id": name, "outcome": outcome, "excuse": excuse, "level": level, **place, **more}


def test_shards_are_joined_and_an_oddity_is_no_defect() -> None:
    """Two shards give one score; survivors are listed by name unless an entry covers them."""
    first = [record("a", "failed", level="MUST"), record("b", "survived")]
    second = [record("c", "survived", excuse="refused-field"), record("d", "failed", part="oddity", level="MUST")]
    reports = [
        {"generated": 9, "seed": 2, "not_shown": ["e"], "defects": first},
        {"generated": 9, "seed": 2, "not_shown": [], "defects": second},
    ]
    before = {**condense(reports, {})["score"], "found_percent": 12.5}
    data = condense(reports, before)
    assert (data["score"]["shown"], data["score"]["found_percent"]) == (3, 50.0)
    assert (data["survivors"], data["excused"], data["not_shown"]) == (["b"], {"refused-field": 1}, 1)
    page = write_page(data)
    assert "| before | 3 | 1 | 0 | 1 | 1 | 12.5 % | 50.0 % |" in page
    assert "A check failed on 1 of them." in page
    assert "- `b`" in page


def test_the_page_of_the_site_has_every_entry_and_known_checks() -> None:
    """The kept data name checks that exist, and each entry of the list is on the page."""
    page = mutation_page()
    assert all(f"| `{excuse.name}` |" in page for excuse in load_excuses())
    named = [line.partition("](rules/")[2].partition(".md")[0] for line in page.splitlines() if "](rules/" in line]
    assert named
    assert set(named) <= set(ROWS)
