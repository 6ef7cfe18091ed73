"""What a broken rule does to a user orders a page, within verdict and level."""

from __future__ import annotations

import pytest

from harness.engine.decide import Policy, decide
from harness.outcome import Finding, Observation, Severity
from harness.rules import BY_ID


@pytest.mark.parametrize(
    "broken",
    [["http.json-type", "create.id", "stream.framing", "cancel.state"], ["stream.opens", "resume.no-gap"]],
    ids=["by harm", "silent first"],
)
def test_what_harms_most_comes_first(broken: list[str]) -> None:
    """A wrong status comes before lost text, ids and labels, and what nobody notices before what is loud."""
    results = [
        decide(BY_ID[rule], Observation.of([Finding(rule, "x", weight=9 - place)]), Policy())
        for place, rule in enumerate(broken)
    ]
    assert [result.id for result in sorted(results, key=lambda result: result.urgency)] == broken[::-1]


LENIENT = Finding("err.shape", "a shape of the front end", severity=Severity.NON_STRICT, code="err.shape/gateway")
BROKEN = Finding("err.shape", "a page", code="err.shape/no-object")
CAUSED = Finding("err.shape", "a page", code="err.shape/no-object", cause="cancel.ok")


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        ([LENIENT, CAUSED], "cancel.ok"),
        ([LENIENT, CAUSED, BROKEN], "err.shape/no-object"),
        ([LENIENT], "err.shape/gateway"),
    ],
)
def test_a_lenient_finding_is_no_cause_beside_broken_ones(found: list[Finding], cause: str) -> None:
    """What only warns elsewhere does not make a failure of its own out of a consequence."""
    result = decide(BY_ID["err.shape"], Observation.of(found), Policy())
    assert (result.explained_by, result.is_consequence) == (cause, cause == "cancel.ok")
