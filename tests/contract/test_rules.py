"""All rules are complete, cite a source and are known to the judges that name them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import contract
from harness.cli.catalogue import load_every_check
from harness.contract.rules import BY_ID, pages
from harness.contract.rules.areas import AREAS
from harness.outcome import Basis, Level, Rule

RULES = pytest.mark.parametrize("rule", BY_ID.values(), ids=BY_ID)


@RULES
def test_a_rule_is_complete(rule: Rule) -> None:
    """Each rule has an id, a statement, what breaks without it, and a source."""
    assert re.fullmatch(r"[a-z]+(\.[a-z0-9-]+)+", rule.id)
    assert rule.statement.endswith(".")
    assert rule.breaks.endswith((".", ".)"))
    assert rule.source.page


@RULES
def test_a_rule_is_no_stricter_than_its_source(rule: Rule) -> None:
    """A rule that was only observed or inferred is never a MUST."""
    if rule.source.basis in (Basis.OBSERVED, Basis.INFERRED):
        assert rule.level is not Level.MUST


def test_every_rule_cites_a_page_of_the_table() -> None:
    """Every rule cites a page of the table, and each page has one title and one URL."""
    table = {page.title: page.url for page in vars(pages).values() if isinstance(page, pages.Page)}
    assert {(rule.source.page, rule.source.url) for rule in BY_ID.values()} == set(table.items())
    assert all(url.startswith("https://") for url in table.values() if url)
    addresses = [url for url in table.values() if url]
    assert len(addresses) == len(set(addresses))


def test_every_rule_that_a_judge_names_exists() -> None:
    """Every rule id in the source of the judges is the id of a rule."""
    folder = Path(contract.__file__).parent
    areas = {rule.area for rule in BY_ID.values()}
    named = {
        found
        for path in folder.rglob("*.py")
        for found in re.findall(r'"([a-z]+\.[a-z0-9-]+)"', path.read_text("utf-8"))
        if found.partition(".")[0] in areas
    }
    assert len(named) > 40
    assert named <= BY_ID.keys()


def test_every_area_has_a_title() -> None:
    """Reports head an area with words; no title is left over, and no two areas have the same."""
    checked = {check.rule.area for check in load_every_check()}
    assert set(AREAS) == checked | {rule.area for rule in BY_ID.values()}
    assert len(set(AREAS.values())) == len(AREAS)
