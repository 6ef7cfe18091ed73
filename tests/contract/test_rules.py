"""The rules as a whole: unique, sourced, and known to whoever finds them broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import contract
from harness.contract.rules import BY_ID, pages
from harness.outcome import Basis, Level, Rule

RULES = pytest.mark.parametrize("rule", BY_ID.values(), ids=BY_ID)


@RULES
def test_a_rule_is_complete(rule: Rule) -> None:
    """Each rule says what holds, what breaks and where that is written."""
    assert re.fullmatch(r"[a-z]+(\.[a-z0-9-]+)+", rule.id)
    assert rule.statement.endswith(".")
    assert rule.breaks.endswith((".", ".)"))
    assert rule.source.page


@RULES
def test_a_rule_is_no_stricter_than_its_source(rule: Rule) -> None:
    """What was only observed or inferred is never a MUST."""
    if rule.source.basis in (Basis.OBSERVED, Basis.INFERRED):
        assert rule.level is not Level.MUST


def test_every_rule_cites_a_page_of_the_table() -> None:
    """A document has one title and one address, and is cited by its constant."""
    table = {page.title: page.url for page in vars(pages).values() if isinstance(page, pages.Page)}
    assert {(rule.source.page, rule.source.url) for rule in BY_ID.values()} == set(table.items())
    assert all(url.startswith("https://") for url in table.values() if url)
    addresses = [url for url in table.values() if url]
    assert len(addresses) == len(set(addresses))


def test_every_rule_that_a_judge_names_exists() -> None:
    """The ids in the judges' source are ids of rules."""
    folder = Path(contract.__file__).parent
    areas = {rule.area for rule in BY_ID.values()}
    named = {
        found
        for path in folder.glob("*.py")
        for found in re.findall(r'"([a-z]+\.[a-z0-9-]+)"', path.read_text("utf-8"))
        if found.partition(".")[0] in areas
    }
    assert len(named) > 40
    assert named <= BY_ID.keys()
