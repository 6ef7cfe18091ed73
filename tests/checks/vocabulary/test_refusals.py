"""Wrong creates: the table, and the checks that are made from its rows."""

from __future__ import annotations

import pytest

from harness.checks.catalogue import CATALOGUE
from harness.contract.tables.refusals import REFUSALS, InvalidCreates, Own

CHECKS = {check.id: check for check in CATALOGUE}


@pytest.mark.parametrize("row", REFUSALS.values(), ids=REFUSALS)
def test_each_row_is_judged_by_its_check(row: InvalidCreates) -> None:
    """The check of a row's rule wants the answers to all of its creates, and its exercise sends them."""
    check = CHECKS[row.rule]
    assert {*row.creates} <= {*check.wants}
    sent = [name for name, _ in row.bodies({}, dict.fromkeys(Own, "mine"))]
    assert sent == list(row.creates)


def test_the_words_of_a_check_agree_with_its_row() -> None:
    """A check whose words name no status but 400 as accepted or tolerated accepts no success."""
    for row in REFUSALS.values():
        words = " ".join(CHECKS[row.rule].accepts)
        assert ("2xx" in words) is (200 in row.accepts or 200 in row.tolerates), row.rule
        assert ("404" in words) <= (404 in row.accepts), row.rule
        assert 400 in row.accepts, row.rule
        assert ("422" in words) <= (422 in row.tolerates), row.rule
