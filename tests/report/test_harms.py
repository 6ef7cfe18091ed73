"""What a broken rule does to a user orders a page, within verdict and level."""

from __future__ import annotations

from harness.engine.decide import Policy, decide
from harness.outcome import Finding, Harm, Observation
from harness.report.run_state import urgency_of
from harness.rules import BY_ID


def test_what_harms_most_comes_first() -> None:
    """A wrong status comes before lost text, mixed up ids and a wrong label, whatever the weight."""
    assert BY_ID["http.redirect"].harm is Harm.REST
    broken = ["http.json-type", "create.id", "stream.framing", "cancel.state"]
    results = [
        decide(BY_ID[rule], Observation.of([Finding(rule, "x", weight=9 - place)]), Policy())
        for place, rule in enumerate(broken)
    ]
    assert [result.id for result in sorted(results, key=urgency_of)] == broken[::-1]


def test_silent_rules_come_first_and_are_rules() -> None:
    """A breach that a client cannot notice comes before a louder one with more weight; the flag is on the rule."""
    assert not BY_ID["stream.opens"].silent
    assert BY_ID["resume.no-gap"].silent
    broken = ["stream.opens", "resume.no-gap"]
    results = [
        decide(BY_ID[rule], Observation.of([Finding(rule, "x", weight=9 - place)]), Policy())
        for place, rule in enumerate(broken)
    ]
    assert [result.id for result in sorted(results, key=urgency_of)] == broken[::-1]
