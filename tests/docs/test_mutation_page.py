"""The page of the mutation score: made of the data that `python -m lab score --publish` keeps."""

from __future__ import annotations

from harness.rules import ROWS
from lab.defects.generation import load_excuses
from tests.docs.site import mutation_page


def test_the_page_of_the_site_has_every_entry_and_known_checks() -> None:
    """The kept data name checks that exist, and each entry of the list is on the page."""
    page = mutation_page()
    assert all(f"| `{excuse.name}` |" in page for excuse in load_excuses())
    named = [line.partition("](rules/")[2].partition(".md")[0] for line in page.splitlines() if "](rules/" in line]
    assert named
    assert set(named) <= set(ROWS)
