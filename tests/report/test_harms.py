"""What a broken rule does to a user orders a page, within verdict and level."""

from __future__ import annotations

import pytest

from harness.engine.decide import Policy, decide
from harness.outcome import Finding, Observation
from harness.rules import BY_ID


@pytest.mark.parametrize(
    "broken",
    [["http.json-type", "create.id", "del.gone", "store.isolation"], ["stream.opens", "resume.no-gap"]],
    ids=["by harm", "silent first"],
)
def test_what_harms_most_comes_first(broken: list[str]) -> None:
    """What others read comes before a wrong status, lost text and ids, and what is silent before what is loud."""
    results = [
        decide(BY_ID[rule], Observation.of([Finding(rule, "x", weight=9 - place)]), Policy())
        for place, rule in enumerate(broken)
    ]
    assert [result.id for result in sorted(results, key=lambda result: result.urgency)] == broken[::-1]
